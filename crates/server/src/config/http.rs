//! `[http]` and `[[http.token]]`: the API and who may use it.

use std::net::SocketAddr;

use api::Role;
use toml::de::DeValue;

use super::secret::{self, Keys};
use super::value;
use super::walk::{Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "http",
    keys: &["listen", "token"],
    refused: &[("tls", NO_TLS), ("certificate_file", NO_TLS), ("key_file", NO_TLS), ("key", NO_TLS)],
};

const NO_TLS: &str = "HTTPS is not available yet; put a proxy such as nginx or Caddy in front of http.listen";

pub(super) const TOKEN: Schema = Schema {
    name: "http.token",
    keys: &["name", "role", "token", "token_env", "token_file", "requests_per_second"],
    refused: &[],
};

const SECRET: Keys = Keys { plain: "token", environment: "token_env", file: "token_file" };

/// What the example's token begins with: everybody knows it.
const EXAMPLE: &str = "change-me";

/// `[http]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    /// Where it is answered; none: no API.
    pub(crate) listen: Vec<SocketAddr>,
    /// Who may use it.
    pub(crate) tokens: Vec<Token>,
}

/// `[[http.token]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    /// Its name for people.
    pub(crate) name: String,
    /// The token as the API knows it, without the secret.
    pub(crate) token: api::Token,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Http {
    let section = walk.section(root, &SCHEMA);
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = walk.list(&section, "listen", value::socket_address).or(vec![default]);
    for (index, address) in listen.iter().enumerate() {
        if listen[..index].contains(address) {
            walk.fault(section.element("listen", index), format!("{address} is listened on twice"));
        } else if !address.ip().is_loopback() {
            let text = format!(
                "tokens and numbers cross the network unencrypted to {address}: put a proxy with TLS in front"
            );
            walk.warn(section.element("listen", index), text);
        }
    }
    let local = listen.iter().all(|address| address.ip().is_loopback());
    let tokens = tokens(walk, &section, local);
    if !listen.is_empty() && !section.has("token") {
        walk.warn(section.here(), "no [[http.token]]: nobody can put orders");
    }
    Http { listen, tokens }
}

fn tokens<'d>(walk: &mut Walk<'d>, section: &Section<'d>, local: bool) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut secrets: Vec<String> = Vec::new();
    for section in walk.sections(section, &TOKEN) {
        let role =
            walk.needed(&section, "role", "write \"admin\", \"app\", \"operator\" or \"metrics\"", role);
        let name = walk.get(&section, "name", value::name).ok();
        let rate = |value: &DeValue<'_>| {
            let rate = value::integer(value, 1..=100_000)?;
            Ok(u32::try_from(rate).expect("at most 100 000"))
        };
        let rate = walk.get(&section, "requests_per_second", rate).ok();
        let Some((secret, key)) = secret::needed(walk, &section, &SECRET) else {
            continue;
        };
        if secrets.contains(&secret) {
            walk.fault(section.place(key), "another [[http.token]] has the same; each needs its own");
        }
        if secret.starts_with(EXAMPLE) {
            let text =
                "is the example's, which everybody knows; write one of your own (openssl rand -hex 24)";
            if local {
                walk.warn(section.place(key), text);
            } else {
                walk.fault(section.place(key), text);
            }
        }
        if let Some(role) = role {
            let name = name.unwrap_or_else(|| role.word().to_owned());
            let token = api::Token::new(&secret, role).named(&name).limited(rate);
            tokens.push(Token { name, token });
        }
        secrets.push(secret);
    }
    tokens
}

fn role(value: &DeValue<'_>) -> Result<Role, String> {
    value::word(value, &Role::ALL.map(|role| (role.word(), Ok(role))))
}
