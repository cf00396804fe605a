//! The errors of Kafka, and which of them a retry may resolve.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// An error of Kafka.
#[derive(Debug, thiserror::Error)]
pub enum MessagingError {
    /// The broker, the topic or the group is not available at the moment. The same call may succeed later.
    #[error("Kafka: could not {action}; a retry may succeed")]
    Unavailable {
        action: &'static str,
        #[source]
        source: KafkaError,
    },
    /// The call fails until somebody changes the configuration, a permission or the record.
    #[error("Kafka: cannot {action}; a retry will not help")]
    Refused {
        action: &'static str,
        #[source]
        source: KafkaError,
    },
}

impl MessagingError {
    pub(crate) fn new(action: &'static str, source: KafkaError) -> MessagingError {
        if is_lasting(&source) {
            MessagingError::Refused { action, source }
        } else {
            MessagingError::Unavailable { action, source }
        }
    }

    /// Whether the same call may succeed later although nobody changes anything.
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
