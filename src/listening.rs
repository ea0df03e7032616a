//! Where the server may listen: anywhere, as long as strangers are kept out or meant to come in.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};

use crate::cli::AccessOptions;

/// The addresses that `listen` names. Refuses those that others can reach when nothing keeps the others out.
pub(crate) async fn addresses(listen: &str, access: &AccessOptions) -> anyhow::Result<Vec<SocketAddr>> {
    let named =
        tokio::net::lookup_host(listen).await.with_context(|| format!("--listen {listen:?} is no HOST:PORT"))?;
    let addresses: Vec<SocketAddr> = named.collect();
    if is_open_to_others(&addresses) && access.keys()?.is_empty() && !access.allow_anonymous {
        bail!(
            "--listen {listen} is reachable from other machines and there is no key; set --api-key KEY (or \
             FOOTNOTE_API_KEY), or --allow-anonymous if everyone who can reach it may read every document"
        );
    }
    Ok(addresses)
}

pub(crate) fn is_open_to_others(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| !is_loopback(address.ip()))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
