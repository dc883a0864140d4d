//! grpc.health.v1, which says SERVING to everybody.

use std::io;
use std::net::TcpListener;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};

/// A message of two bytes: status (field 1, a number) is SERVING (1).
const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";

pub fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(async move {
                // A client that is gone is no failure of ours.
                let _ = connection(stream).await;
            });
        }
    }))
}

async fn connection(stream: tokio::net::TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(call) = connection.accept().await {
        let (_, mut call) = call?;
        let mut head = Response::new(());
        head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        let mut body = call.send_response(head, false)?;
        body.send_data(Bytes::from_static(SERVING), false)?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.send_trailers(trailers)?;
    }
    Ok(())
}
