//! `[oauth.NAME]`: a client that is registered at an authorization server (RFC 6749 §2), and its keys.
//! Defaults of known providers are added by `settings`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{CommandLine, Key, Place, parsed, secret};
use crate::oauth::{Grant, Loopback};
use crate::text::{HttpsUrl, Secret};

/// A table `[oauth.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct OAuth {
    /// The client's id.
    pub client_id: Option<String>,
    /// The client's secret, if it has one.
    #[serde(deserialize_with = "secret")]
    pub client_secret: Option<Secret>,
    /// A program that prints the secret.
    pub client_secret_command: Option<CommandLine>,
    /// The kind of grant.
    #[serde(deserialize_with = "parsed")]
    pub grant: Option<Grant>,
    /// The server, whose metadata name its endpoints.
    #[serde(deserialize_with = "parsed")]
    pub issuer: Option<HttpsUrl>,
    /// The authorization endpoint.
    #[serde(deserialize_with = "parsed")]
    pub authorize: Option<HttpsUrl>,
    /// The token endpoint.
    #[serde(deserialize_with = "parsed")]
    pub token: Option<HttpsUrl>,
    /// The device authorization endpoint.
    #[serde(deserialize_with = "parsed")]
    pub device: Option<HttpsUrl>,
    /// The scope of the tokens.
    pub scope: Option<String>,
    /// The part of Microsoft's endpoints that names a directory.
    pub tenant: Option<String>,
    /// The redirect address for the browser.
    #[serde(deserialize_with = "parsed")]
    pub redirect: Option<Loopback>,
    /// The authorities to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
}

const fn key(name: &'static str, value: &'static str, text: &'static str) -> Key {
    Key { name, place: Place::OAuth, value, text }
}

/// Every key of `[oauth.NAME]`.
pub const OAUTH_KEYS: &[Key] = &[
    key(
        "client-id",
        "\"ID\"",
        "The id under which the client is registered. It is always the user's own or the \
         organization's: postie has none, and takes no other program's.",
    ),
    key(
        "client-secret",
        "\"TEXT\"",
        "The client's secret, if it was given one. The configuration file is refused if others may \
         read it.",
    ),
    key(
        "client-secret-command",
        "\"LINE\" | [\"WORD\", ...]",
        "A command that prints the client's secret on its first line.",
    ),
    key(
        "grant",
        "\"code\" | \"client-credentials\"",
        "How tokens are granted: to a person who has logged in once (the default), or to the \
         client itself, on servers without a person.",
    ),
    key(
        "issuer",
        "\"https://HOST/...\"",
        "The authorization server, if it is none of microsoft, google and fastmail. Its endpoints \
         are read from its metadata (RFC 8414, or OpenID Connect Discovery).",
    ),
    key(
        "authorize",
        "\"https://HOST/...\"",
        "The authorization endpoint, which the browser opens, if there is no `issuer`.",
    ),
    key("token", "\"https://HOST/...\"", "The token endpoint, if there is no `issuer`."),
    key(
        "device",
        "\"https://HOST/...\"",
        "The device authorization endpoint, for postie login --device, if there is no `issuer`.",
    ),
    key(
        "scope",
        "\"WORD WORD ...\"",
        "What is asked for; known for microsoft, google and fastmail. Most servers give a refresh \
         token only for offline_access among it.",
    ),
    key(
        "tenant",
        "\"NAME\"",
        "Of microsoft, the directory that the user belongs to: its id or domain, or common (the \
         default), organizations or consumers.",
    ),
    key(
        "redirect",
        "\"http://localhost\" | \"http://127.0.0.1:PORT/PATH\"",
        "The redirect that the client is registered with, which leads to this machine. Without a \
         port, a free one is used for each login.",
    ),
    key(
        "ca-file",
        "\"FILE\"",
        "Certification authorities to trust for the authorization server instead of the usual \
         ones, as PEM.",
    ),
];
