//! A server that speaks gRPC and answers every call as it is told, to see what we make of a server's bad days.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use h2::server::SendResponse;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// Success, with every field at its default.
    Empty,
    /// A gRPC status and its message.
    Failure(u8, &'static str),
    Silence,
}

/// What to answer, by the number of the connection that the call came on and the number of the call, both from 0.
pub(crate) type Script = Arc<dyn Fn(usize, usize) -> Reply + Send + Sync>;

/// Stops when it is dropped.
pub(crate) struct ScriptedQdrant {
    pub(crate) address: SocketAddr,
    task: AbortHandle,
}

impl ScriptedQdrant {
    pub(crate) async fn start(script: impl Fn(usize, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn start_on(
        address: SocketAddr,
        script: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(TcpListener::bind(address).await.unwrap(), None, Arc::new(script))
    }

    pub(crate) async fn start_with_tls(
        tls: TlsAcceptor,
        script: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), Some(tls), Arc::new(script))
    }

    fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, script: Script) -> Self {
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let serve = async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, script, calls) = (tls.clone(), Arc::clone(&script), Arc::clone(&calls));
                connections.spawn(async move {
                    let reply = || script(connection, calls.fetch_add(1, Ordering::Relaxed));
                    match tls {
                        None => answer(stream, reply).await,
                        // A client that does not like the certificate goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, reply).await;
                            }
                        }
                    }
                });
            }
        };
        Self { address, task: tokio::spawn(serve).abort_handle() }
    }
}

impl Drop for ScriptedQdrant {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, reply: impl Fn() -> Reply) {
    let Ok(mut calls) = h2::server::handshake(stream).await else { return };
    let mut unanswered = Vec::new();
    while let Some(Ok((_request, respond))) = calls.accept().await {
        match reply() {
            Reply::Empty => succeed(respond),
            Reply::Failure(code, message) => fail(respond, code, message),
            Reply::Silence => unanswered.push(respond),
        }
    }
}

fn succeed(mut respond: SendResponse<Bytes>) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut body = respond.send_response(head, false).unwrap();
    // Not compressed, and of no bytes.
    body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    body.send_trailers(trailers).unwrap();
}

fn fail(mut respond: SendResponse<Bytes>, code: u8, message: &str) {
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", code.to_string())
        .header("grpc-message", message);
    respond.send_response(head.body(()).unwrap(), true).unwrap();
}
