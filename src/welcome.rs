//! What `serve` prints once it listens: where it is, what it uses, and which other hosts receive text.

use std::net::SocketAddr;

use footnote_knowledge::options::EmbedderKind;

use crate::cli::{RerankerKind, ServeOptions, SessionsKind};

pub fn print(options: &ServeOptions, address: SocketAddr) {
    println!("Footnote {} listens on http://{address}", env!("CARGO_PKG_VERSION"));
    for (what, value) in summary(options) {
        println!("  {what:<10} {value}");
    }
}

fn summary(options: &ServeOptions) -> Vec<(&'static str, String)> {
    let folder = options.store.data_dir.display();
    let documents = match &options.store.qdrant_url {
        Some(url) => format!("Qdrant at {}", host(url)),
        None => format!("embedded in {folder}"),
    };
    let sessions = match (options.sessions.kind(), &options.sessions.redis_url) {
        (SessionsKind::Redis, Some(url)) => format!("Redis at {}", host(url.expose())),
        (SessionsKind::Redis, None) => "Redis".to_owned(),
        (SessionsKind::Embedded, _) => format!("embedded in {folder}"),
        (SessionsKind::Memory, _) => "in memory only, lost when the server stops".to_owned(),
    };
    let answers = match options.model.remote_model(&options.openai) {
        Some(model) => format!("{model} at {}", host(options.openai.base_url())),
        None => "extractive: sentences of the documents, no model".to_owned(),
    };
    let receivers = hosts_receiving_text(options);
    let text = if receivers.is_empty() { "no other host".to_owned() } else { receivers.join("; ") };
    vec![("documents", documents), ("sessions", sessions), ("answers", answers), ("text goes to", text)]
}

/// Every other host that text is sent to, with the kind of text.
pub fn hosts_receiving_text(options: &ServeOptions) -> Vec<String> {
    let mut receivers = Vec::new();
    let mut note = |url: &str, what: &str| receivers.push(format!("{} ({what})", host(url)));
    let openai = options.openai.base_url();
    let asks_model = options.model.remote_model(&options.openai).is_some();
    let embeds_remotely = options.embedding.embedder == EmbedderKind::Openai;
    if asks_model {
        note(openai, "questions, conversations and passages");
    }
    if embeds_remotely {
        note(openai, "questions and documents to embed");
    }
    if let Some(proxy) = &options.openai.openai_proxy
        && (asks_model || embeds_remotely)
    {
        note(proxy.expose(), &format!("proxy for what goes to {}", host(openai)));
    }
    if let (RerankerKind::Endpoint, Some(url)) = (options.rerank.kind(!asks_model), &options.rerank.rerank_url) {
        note(url.as_str(), "questions and passages");
    }
    if let Some(url) = &options.store.qdrant_url {
        note(url, "documents");
    }
    if let (SessionsKind::Redis, Some(url)) = (options.sessions.kind(), &options.sessions.redis_url) {
        note(url.expose(), "conversations");
    }
    receivers
}

/// The hosts and ports of a URL, and nothing that may be secret.
fn host(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    if after_scheme.starts_with('/') {
        return "this machine";
    }
    let (authority, behind) = after_scheme.split_at(after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len()));
    // What looks like the host is the beginning of a password with one of the three in it.
    if behind.contains('@') {
        return "an address that cannot be read";
    }
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_shown_without_user_password_and_path() {
        assert_eq!(host("redis://user:pass@redis.example:6379/0"), "redis.example:6379");
        assert_eq!(host("https://api.openai.com/v1"), "api.openai.com");
        assert_eq!(host("redis+unix:///run/redis.sock?pass=secret"), "this machine");
        assert_eq!(host("redis+sentinel://u:pass@a:26379,b/main?sentinel_password=secret"), "a:26379,b");
        assert!(!host("redis://u:pa/ss@a").contains("pa"));
    }
}
