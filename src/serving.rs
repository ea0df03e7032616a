//! Accepting connections and answering on them until told to stop: what `axum::serve` does, which sets no limit on how
//! long a client may take to send the head of a request, or may keep a connection without one.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Without a free file descriptor nothing can be accepted until a connection ends.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until `stop`; then accepts nothing new, and returns when the requests under way are answered. `request_head`
/// is how long a connection may be without a whole head of a request.
pub(crate) async fn serve(listener: TcpListener, router: Router, request_head: Duration, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(request_head);
    let connections = TaskTracker::new();
    loop {
        let (stream, client) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.cancelled() => break,
        };
        let router = router.clone();
        let asked = Arc::new(AtomicBool::new(false));
        let is_asked = Arc::clone(&asked);
        let service = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            answer(router.clone(), request, client)
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        connections.spawn(until_stopped(connection, is_asked, stop.clone()));
    }
    // Whoever comes now is refused, rather than kept waiting.
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// To the end of the connection, or, after `stop`, of the request under way: there is none before a whole head of one has
/// come. How a client leaves is its own affair.
async fn until_stopped<Answers>(
    connection: http1::Connection<TokioIo<TcpStream>, Answers>,
    is_asked: Arc<AtomicBool>,
    stop: CancellationToken,
) where
    Answers: HttpService<Incoming, ResBody = Body>,
    Answers::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A head that is there when the stop comes is read.
        biased;
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    if is_asked.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    client: SocketAddr,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(client));
    router.oneshot(request).await
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // A delta is a small packet that must not wait for the next one.
                let _ = stream.set_nodelay(true);
                return (stream, client);
            }
            // It came, and was gone before it was its turn.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(error = %error, "no connection can be accepted at the moment");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
