//! Just enough of the protocol of Postgres to look like a pooler.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that is none. It ends with the runtime of the test.
pub(crate) struct Fake {
    pub(crate) url: String,
}

/// How it behaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// All connections are answered as by one session: the backend is always the same.
    SharesOneSession,
    /// Refuses the options of a session, in the words of PgBouncer.
    RefusesOptions,
}

impl Fake {
    pub(crate) async fn sharing_one_session() -> Fake {
        Fake::start(Manner::SharesOneSession).await
    }

    pub(crate) async fn refusing_options() -> Fake {
        Fake::start(Manner::RefusesOptions).await
    }

    async fn start(manner: Manner) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://anybody@{}/any", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner));
            }
        });
        Fake { url }
    }
}

async fn serve(mut stream: TcpStream, manner: Manner) -> io::Result<()> {
    greet(&mut stream).await?;
    if let Manner::RefusesOptions = manner {
        let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
        return stream.write_all(&message(b'E', fields)).await;
    }
    stream.write_all(&message(b'R', &0_i32.to_be_bytes())).await?;
    stream.write_all(&message(b'Z', b"I")).await?;
    while let (b'Q', _) = read_message(&mut stream).await? {
        stream.write_all(&one_row("4711")).await?;
    }
    Ok(())
}

/// Refuses encryption, and reads the start-up message.
async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    const ENCRYPTION_REQUEST: usize = 8;
    loop {
        let length = usize::try_from(stream.read_i32().await?).unwrap();
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await?;
        if length != ENCRYPTION_REQUEST {
            return Ok(());
        }
        stream.write_all(b"N").await?;
    }
}

async fn read_message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_i32().await?).unwrap();
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// The answer to a query: one row with one integer.
fn one_row(value: &str) -> Vec<u8> {
    const INT4: i32 = 23;
    let column = [
        &1_i16.to_be_bytes()[..],
        b"pid\0",
        &0_i32.to_be_bytes(),
        &0_i16.to_be_bytes(),
        &INT4.to_be_bytes(),
        &4_i16.to_be_bytes(),
        &(-1_i32).to_be_bytes(),
        &0_i16.to_be_bytes(),
    ]
    .concat();
    let length = i32::try_from(value.len()).unwrap();
    let row = [&1_i16.to_be_bytes()[..], &length.to_be_bytes(), value.as_bytes()].concat();
    [message(b'T', &column), message(b'D', &row), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
}
