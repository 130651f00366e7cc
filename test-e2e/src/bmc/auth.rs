//! Who may ask: HTTP basic authentication and Redfish sessions, with credentials per machine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::spec::MachineSpec;

/// Name and password as given by a client.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Whether these are the credentials of this machine's BMC.
    pub fn open(&self, machine: &MachineSpec) -> bool {
        self.username == machine.username && self.password == machine.password
    }
}

/// The sessions that are open, by token. They end with the emulator, as a BMC forgets them at its restart.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    open: Arc<Mutex<(u64, BTreeMap<String, Credentials>)>>,
}

impl Sessions {
    /// Opens a session; returns its number and token.
    pub fn create(&self, credentials: Credentials) -> (u64, String) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.0 += 1;
        // Only this bench's own network sees the token, so it need not be hard to guess, only unique per start.
        let token = format!("{:x}-{:x}", std::process::id(), open.0);
        open.1.insert(token.clone(), credentials);
        (open.0, token)
    }

    /// Ends the session with this number.
    pub fn remove(&self, number: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(number) = number.parse::<u64>() else { return };
        open.1.remove(&format!("{:x}-{number:x}", std::process::id()));
    }

    /// The credentials a request carries, by token or by basic authentication.
    pub fn credentials(&self, headers: &HeaderMap) -> Option<Credentials> {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        if let Some(token) = text("x-auth-token") {
            return self.open.lock().unwrap_or_else(PoisonError::into_inner).1.get(token).cloned();
        }
        let encoded = text("authorization")?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        Some(Credentials { username: username.to_owned(), password: password.to_owned() })
    }
}
