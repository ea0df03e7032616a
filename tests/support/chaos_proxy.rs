//! A TCP proxy between a server and what it depends on, for the bad days of a network. Included by test binaries with
//! `#[path]`.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Working,
    /// Takes everything and passes nothing on. What it took arrives when it works again, however late that is.
    Stalling,
    /// Connections are reset, open ones and new ones.
    Resetting,
    /// Requests arrive and are executed. Where one contained `to`, the connection is reset before its reply is
    /// delivered, or only every `one_in`-th time.
    LosingReplies {
        to: &'static str,
        one_in: usize,
    },
}

#[derive(Debug)]
pub(crate) struct ChaosProxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    network: watch::Sender<Network>,
    requests_to_lose: AtomicUsize,
    replies_lost: AtomicUsize,
}

impl ChaosProxy {
    /// To a port of 127.0.0.1; needs not be listened to yet.
    pub(crate) async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let shared = Arc::new(Shared {
            target: SocketAddr::from(([127, 0, 0, 1], target_port)),
            network: watch::Sender::new(Network::Working),
            requests_to_lose: AtomicUsize::new(0),
            replies_lost: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, network: Network) {
        self.shared.network.send_replace(network);
    }

    pub(crate) fn replies_lost(&self) -> usize {
        self.shared.replies_lost.load(Ordering::SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // How a connection ends is the business of its two ends.
            let _ = connect(client, &shared).await;
        });
    }
}

async fn connect(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let connection =
        Connection { shared, network: shared.network.subscribe(), awaits_lost_reply: AtomicBool::new(false) };
    let mut network = shared.network.subscribe();
    let ended = tokio::select! {
        ended = connection.carry(&mut client) => ended,
        _ = network.wait_for(|network| *network == Network::Resetting) => Err(io::ErrorKind::ConnectionReset.into()),
    };
    if ended.is_err() {
        // The close that follows sends RST, not FIN.
        client.set_zero_linger()?;
    }
    ended
}

struct Connection<'shared> {
    shared: &'shared Shared,
    network: watch::Receiver<Network>,
    awaits_lost_reply: AtomicBool,
}

impl Connection<'_> {
    async fn carry(&self, client: &mut TcpStream) -> io::Result<()> {
        let mut target = TcpStream::connect(self.shared.target).await?;
        target.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_target, to_target) = target.split();
        tokio::try_join!(self.carry_requests(from_client, to_target), self.carry_replies(from_target, to_client))?;
        Ok(())
    }

    async fn carry_requests(
        &self,
        mut client: impl AsyncRead + Unpin,
        mut target: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        loop {
            let length = client.read(&mut piece).await?;
            if length == 0 {
                return target.shutdown().await;
            }
            let network = self.while_stalling().await;
            if let Network::LosingReplies { to, one_in } = network
                && contains(&piece[..length], to.as_bytes())
                && self.shared.requests_to_lose.fetch_add(1, Ordering::SeqCst) % one_in == one_in - 1
            {
                self.awaits_lost_reply.store(true, Ordering::SeqCst);
            }
            target.write_all(&piece[..length]).await?;
        }
    }

    async fn carry_replies(
        &self,
        mut target: impl AsyncRead + Unpin,
        mut client: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        loop {
            let length = target.read(&mut piece).await?;
            if length == 0 {
                return client.shutdown().await;
            }
            self.while_stalling().await;
            if self.awaits_lost_reply.load(Ordering::SeqCst) {
                self.shared.replies_lost.fetch_add(1, Ordering::SeqCst);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            client.write_all(&piece[..length]).await?;
        }
    }

    async fn while_stalling(&self) -> Network {
        let mut network = self.network.clone();
        let now = network.wait_for(|network| *network != Network::Stalling).await;
        // Fails only if the sender is gone, which is in `shared`.
        now.map_or(Network::Resetting, |now| *now)
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
