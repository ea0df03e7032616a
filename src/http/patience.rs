//! How long the server waits for clients. Tests shorten it.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the head of a request, and with it for the next request on a connection that is kept.
    pub request_head: Duration,
    /// For a whole body.
    pub request_body: Duration,
    /// For a whole upload of documents.
    pub upload: Duration,
    /// With a stream that has nothing to say, before it says that it is still there.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Load balancers keep idle connections for a minute, and must not find one closed that they still count on.
            request_head: Duration::from_secs(75),
            // A client that sends 1 MiB over a poor line needs seconds.
            request_body: Duration::from_secs(30),
            // A GiB over a line of 2 MiB a second.
            upload: Duration::from_secs(600),
            // Proxies close a connection that says nothing for half a minute.
            silence: Duration::from_secs(15),
        }
    }
}
