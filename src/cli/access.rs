//! Who may come in, as it is said on the command line.

use anyhow::ensure;
use clap::Args;
use footnote_knowledge::secret::Secret;

/// Who may come in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// Key that clients send as `Authorization: Bearer KEY` (repeatable; in the variable separated by commas)
    #[arg(long, env = "FOOTNOTE_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Vec<Secret>,

    /// Listen beyond loopback without a key
    #[arg(long, env = "FOOTNOTE_ALLOW_ANONYMOUS")]
    pub allow_anonymous: bool,

    /// Host name under which this server is reached, besides IP addresses and localhost (repeatable; in the variable
    /// separated by commas)
    #[arg(long, env = "FOOTNOTE_ALLOWED_HOST", value_name = "HOST")]
    pub allowed_host: Vec<String>,
}

impl AccessOptions {
    /// The keys, each of which a client can send.
    pub fn keys(&self) -> anyhow::Result<&[Secret]> {
        self.api_key.iter().try_for_each(check_key)?;
        Ok(&self.api_key)
    }

    /// The host names as a client may send them, without port and final dot.
    pub fn hosts(&self) -> anyhow::Result<Vec<String>> {
        self.allowed_host.iter().map(|host| bare_host(host)).collect()
    }
}

/// A key is sent in a header, where only visible ASCII arrives as it was.
pub fn check_key(key: &Secret) -> anyhow::Result<()> {
    ensure!(
        key.is_visible_ascii(),
        "--api-key (or FOOTNOTE_API_KEY): a key is at least one character, without spaces and only ASCII; \
         make one with: openssl rand -hex 32"
    );
    Ok(())
}

fn bare_host(given: &str) -> anyhow::Result<String> {
    let host = given.trim().to_ascii_lowercase();
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => &host,
    };
    let name = without_port.trim_end_matches('.');
    let is_name =
        !name.is_empty() && !name.contains(|character: char| "/@:".contains(character) || character.is_whitespace());
    ensure!(is_name, "--allowed-host {given:?} is no host name; give it like chat.example.org");
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_can_be_sent_is_one() {
        for key in ["k", "9xK-_.~+/=", "openssl,rand"] {
            assert!(check_key(&Secret::new(key)).is_ok(), "{key}");
        }
        for key in ["", " ", "two words", "schl\u{fc}ssel", "tab\t"] {
            let refusal = check_key(&Secret::new(key)).unwrap_err().to_string();
            assert!(key.is_empty() || key == " " || !refusal.contains(key), "{refusal}");
        }
    }

    #[test]
    fn a_host_is_known_without_its_port_and_final_dot() {
        for given in ["chat.example.org", "Chat.Example.org.", "chat.example.org:8443", " chat.example.org.:80"] {
            assert_eq!(bare_host(given).unwrap(), "chat.example.org", "{given}");
        }
        for given in ["", ":80", "https://chat.example.org", "a b", "user@host", "a:b:c"] {
            assert!(bare_host(given).is_err(), "{given}");
        }
    }
}
