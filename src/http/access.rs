//! Who may come in: foreign pages are kept out by `Host` and `Origin`, everyone without a key by `Authorization`.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};
use axum::middleware::Next;
use axum::response::Response;
use footnote_knowledge::secret::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;

/// The rules, worked out once from the options.
#[derive(Debug, Clone)]
pub struct AccessRules {
    /// Digests, so that a comparison takes the same time for any guess, of any length.
    keys: Vec<[u8; 32]>,
    /// Lets programs of this machine's user in, which read it from `server.json`.
    local_token: Option<[u8; 32]>,
    allowed_hosts: Vec<String>,
}

impl AccessRules {
    /// `allowed_hosts` are in lower case, without port and final dot.
    pub fn new(keys: &[Secret], allowed_hosts: &[String]) -> Self {
        let keys = keys.iter().map(|key| digest(key.expose())).collect();
        Self { keys, local_token: None, allowed_hosts: allowed_hosts.to_vec() }
    }

    /// Where keys are asked for, `token` is one, too.
    pub fn with_local_token(self, token: &Secret) -> Self {
        Self { local_token: Some(digest(token.expose())), ..self }
    }

    fn needs_key(&self) -> bool {
        !self.keys.is_empty()
    }

    fn knows_key(&self, headers: &HeaderMap) -> bool {
        let Some(key) = bearer_token(headers).map(digest) else { return false };
        // Every key is compared, so that the time does not tell which one was near.
        self.keys
            .iter()
            .chain(&self.local_token)
            .fold(false, |known, candidate| known | bool::from(candidate.ct_eq(&key)))
    }

    fn what_is_foreign(&self, request: &Request) -> Option<&'static str> {
        // The target of a request may name one, too, and a header may come twice: all of them must be ours.
        let in_headers = || request.headers().get_all(header::HOST).iter().map(text);
        let hosts = || in_headers().chain(request.uri().authority().map(Authority::as_str));
        if !hosts().all(|host| self.knows_host(host)) {
            return Some(
                "the Host header names another site; reach this server by its address, or start it with --allowed-host NAME",
            );
        }
        let origin = request.headers().get(header::ORIGIN).map(text)?;
        let is_ours = self.knows_origin(origin, hosts().next());
        (!is_ours).then_some("the Origin header names another site; only this server's own pages may ask")
    }

    /// A page of another site reaches a local server under that site's name (DNS rebinding), never under an address,
    /// so addresses and localhost are always ours.
    fn knows_host(&self, authority: &str) -> bool {
        // No host has a user's name in front.
        let Some(authority) = authority.parse::<Authority>().ok().filter(|_| !authority.contains('@')) else {
            return false;
        };
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.allowed_hosts.contains(&host)
    }

    /// A browser names the page that asks: only a page of this very server may.
    fn knows_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((_scheme, authority)) = origin.split_once("://") else { return false };
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses what a browser sends on behalf of another site.
pub(super) async fn refuse_foreign(
    State(rules): State<AccessRules>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match rules.what_is_foreign(&request) {
        Some(detail) => Err(ApiError::foreign_origin(detail)),
        None => Ok(next.run(request).await),
    }
}

/// Refuses whoever has no key, when the server has one.
pub(super) async fn require_key(
    State(rules): State<AccessRules>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if rules.needs_key() && !rules.knows_key(request.headers()) {
        return Err(ApiError::unauthorized());
    }
    Ok(next.run(request).await)
}

/// Proof that the caller may see every session: it has the key, or, where there is none, it is on this machine.
pub(super) struct MaySeeAllSessions;

impl FromRequestParts<super::AppState> for MaySeeAllSessions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &super::AppState) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        // A proxy on this machine speaks for others, and says so.
        let forwarded = parts.headers.contains_key("x-forwarded-for") || parts.headers.contains_key(header::FORWARDED);
        let local = !forwarded && peer.is_some_and(|address| address.to_canonical().is_loopback());
        if state.access.needs_key() || local { Ok(Self) } else { Err(ApiError::loopback_only()) }
    }
}

/// Proof that the caller is a program of this machine's user, which could read `server.json`.
pub(super) struct HasLocalToken;

impl FromRequestParts<super::AppState> for HasLocalToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &super::AppState) -> Result<Self, ApiError> {
        let given = bearer_token(&parts.headers).map(digest);
        let known = match (&state.access.local_token, given) {
            (Some(known), Some(given)) => bool::from(known.ct_eq(&given)),
            (None, _) | (_, None) => false,
        };
        if known { Ok(Self) } else { Err(ApiError::local_token_only()) }
    }
}

impl OptionalFromRequestParts<super::AppState> for HasLocalToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &super::AppState) -> Result<Option<Self>, Infallible> {
        Ok(<Self as FromRequestParts<super::AppState>>::from_request_parts(parts, state).await.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> AccessRules {
        AccessRules::new(&[Secret::new("right")], &["chat.example.org".to_owned()])
    }

    #[test]
    fn addresses_localhost_and_allowed_names_are_ours() {
        let ours = [
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.0.0.7",
            "localhost:8080",
            "LOCALHOST",
            "Chat.Example.org.:8443",
            "app.localhost",
        ];
        for host in ours {
            assert!(rules().knows_host(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example@127.0.0.1",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "a b",
            "chat.example.org.evil",
        ] {
            assert!(!rules().knows_host(host), "{host}");
        }
    }

    #[test]
    fn only_the_page_of_this_server_is_no_foreign_origin() {
        assert!(rules().knows_origin("http://localhost:8080", Some("localhost:8080")));
        assert!(rules().knows_origin("https://chat.example.org", Some("chat.example.org")));
        for origin in ["null", "http://localhost:3000", "http://evil.example", "https://localhost"] {
            assert!(!rules().knows_origin(origin, Some("localhost:8080")), "{origin}");
        }
        assert!(!rules().knows_origin("http://localhost:8080", None));
    }

    #[test]
    fn only_the_whole_key_opens() {
        let with = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(rules().knows_key(&with("Bearer right")));
        assert!(rules().knows_key(&with("bearer right")));
        for value in ["right", "Basic right", "Bearer righ", "Bearer right1", "Bearer ", "Bearer"] {
            assert!(!rules().knows_key(&with(value)), "{value}");
        }
        assert!(!rules().knows_key(&HeaderMap::new()));
    }
}
