//! A proxy in front of a server, whose network a test can break.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Forwards connections to a server until a test says otherwise. It ends with the runtime of the test.
#[derive(Clone, Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: Arc<watch::Sender<Network>>,
}

#[derive(Clone, Copy, Debug)]
struct Network {
    /// Connections of earlier hosts are neither forwarded nor closed.
    host: u64,
    frozen: bool,
}

/// Where the server is.
#[derive(Clone, Debug)]
enum Target {
    Tcp(String),
    Unix(String),
}

impl Proxy {
    /// Stands in front of the Postgres at this URL. Returns the URL through the proxy as well.
    pub async fn before(url: &str) -> (Proxy, String) {
        let (authority, rest) = url
            .split_once("://")
            .expect("a URL has a scheme")
            .1
            .split_once('/')
            .expect("the URL of a test database has a path");
        let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
        let (database, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = host.rsplit_once(':').unwrap_or((host, "5432"));
        // The folder of a socket is a parameter, or stands in place of the host.
        let folder = parameters.split('&').find_map(|parameter| parameter.strip_prefix("host="));
        let host = decoded(folder.unwrap_or(host));
        let target = if host.starts_with('/') {
            Target::Unix(format!("{host}/.s.PGSQL.{port}"))
        } else {
            Target::Tcp(format!("{host}:{port}"))
        };
        let proxy = Proxy::start(target).await;
        let at = if user.is_empty() { "" } else { "@" };
        let through = format!("postgres://{user}{at}{}/{database}", proxy.address);
        (proxy, through)
    }

    async fn start(target: Target) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (network, watched) = watch::channel(Network { host: 0, frozen: false });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target.clone(), watched.clone()));
            }
        });
        Proxy { address, network: Arc::new(network) }
    }

    /// The host vanishes, as in a power failure: its connections stay open and say nothing any more. Another one takes
    /// its address at once, so new connections work.
    pub fn vanish(&self) {
        self.network.send_modify(|network| network.host += 1);
    }

    /// The server hangs: nothing is forwarded, new connections included, until [`Proxy::thaw`].
    pub fn freeze(&self) {
        self.network.send_modify(|network| network.frozen = true);
    }

    pub fn thaw(&self) {
        self.network.send_modify(|network| network.frozen = false);
    }
}

/// The text without percent-encoding.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.expect("two hexadecimal digits follow a percent sign"));
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("a URL is text")
}

async fn connect(client: TcpStream, target: Target, network: watch::Receiver<Network>) -> io::Result<()> {
    let (from_client, to_client) = client.into_split();
    match target {
        Target::Tcp(address) => {
            let (from_server, to_server) = TcpStream::connect(address).await?.into_split();
            forward_both(from_client, to_client, from_server, to_server, network).await
        }
        Target::Unix(path) => {
            let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
            forward_both(from_client, to_client, from_server, to_server, network).await
        }
    }
}

/// Ends, and closes both connections, as soon as one side has ended.
async fn forward_both(
    from_client: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    network: watch::Receiver<Network>,
) -> io::Result<()> {
    tokio::select! {
        ended = forward(from_client, to_server, network.clone()) => ended,
        ended = forward(from_server, to_client, network) => ended,
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let host = network.borrow().host;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        // Whatever was read, an end included, gets no further unless the network is whole.
        let whole = network.wait_for(|network| network.host != host || !network.frozen).await;
        let vanished = whole.map_or(true, |network| network.host != host);
        if vanished {
            std::future::pending::<()>().await;
        }
        match read? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length]).await?,
        }
    }
}
