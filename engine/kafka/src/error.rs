//! What can go wrong between this process and Kafka, and whether trying again can help.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Kafka did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MessagingError {
    /// The broker, the topic or the group is not there at the moment: the same call can succeed later.
    #[error("Kafka did not {doing}, and may do so later")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: KafkaError,
    },
    /// The answer stays the same until somebody changes the configuration, a right or the record.
    #[error("Kafka refuses to {doing}")]
    Refused {
        doing: &'static str,
        #[source]
        source: KafkaError,
    },
}

impl MessagingError {
    pub(crate) fn new(doing: &'static str, source: KafkaError) -> MessagingError {
        if is_lasting(&source) {
            MessagingError::Refused { doing, source }
        } else {
            MessagingError::Unavailable { doing, source }
        }
    }

    /// Whether the same call can succeed later with nothing changed on this side.
    pub fn retryable(&self) -> bool {
        match self {
            MessagingError::Unavailable { .. } => true,
            MessagingError::Refused { .. } => false,
        }
    }
}

fn is_lasting(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => true,
        other => matches!(
            other.rdkafka_error_code(),
            Some(
                Code::Authentication
                    | Code::SaslAuthenticationFailed
                    | Code::TopicAuthorizationFailed
                    | Code::GroupAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::InvalidTopic
                    | Code::InvalidPartitions
                    | Code::InvalidReplicationFactor
                    | Code::PolicyViolation
                    | Code::MessageSizeTooLarge
                    | Code::InvalidMessageSize
                    | Code::UnsupportedVersion
            )
        ),
    }
}

pub(crate) fn is_missing_topic(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}
