//! Binding an address, and serving on it until shutdown.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::shutdown::{NotDrained, drained};

/// Why an address could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is taken by another process; stop it, or choose another address with --listen")]
    Taken { address: SocketAddr },
    #[error("this user may not listen on {address}; choose a port above 1023 with --listen")]
    Forbidden { address: SocketAddr },
    #[error("{address} is not an address of this machine; choose another one with --listen")]
    NotHere { address: SocketAddr },
    #[error("could not listen on {address}")]
    Other {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// Why the server failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the HTTP server failed")]
    Io(#[from] io::Error),
    #[error("some requests were aborted")]
    NotDrained(#[from] NotDrained),
}

/// Binds the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        _ => BindError::Other { address, source },
    })
}

/// Serves until the token is cancelled; requests in progress then have until the timeout to finish.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    token: CancellationToken,
    drain_timeout: Duration,
) -> Result<(), ServeError> {
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait until earlier ones are acknowledged.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays without TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(token.clone().cancelled_owned());
    Ok(drained("the HTTP server", &token, drain_timeout, server.into_future()).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_for_a_used_port_says_what_to_do() {
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
    }

    #[tokio::test]
    async fn a_server_stops_when_asked() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let token = CancellationToken::new();
        token.cancel();
        serve(Router::new(), listener, token, Duration::from_secs(5)).await.unwrap();
    }
}
