//! The Redfish service: requests in, changes of machines and resources out, one line per request in a log.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    auth::{Credentials, Sessions},
    machine::Machine,
    resources as r,
    spec::Firmware,
};

/// Largest request body read, in bytes; Redfish bodies are short.
const BODY: usize = 64 * 1024;

/// The service over all machines.
#[derive(Debug, Clone)]
pub struct Service {
    machines: Arc<BTreeMap<String, Arc<Machine>>>,
    sessions: Sessions,
    log: Arc<Mutex<std::fs::File>>,
}

/// An answer: status, body, extra headers.
struct Answer(StatusCode, Option<Value>, Vec<(&'static str, String)>);

impl Answer {
    fn ok(body: Value) -> Self {
        Self(StatusCode::OK, Some(body), Vec::new())
    }
    fn done() -> Self {
        Self(StatusCode::NO_CONTENT, None, Vec::new())
    }
    fn error(status: StatusCode, message: &str) -> Self {
        Self(status, Some(r::error(message)), Vec::new())
    }
    fn missing() -> Self {
        Self::error(StatusCode::NOT_FOUND, "there is no such resource")
    }
    fn result(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::done(),
            Err(e) => Self::error(StatusCode::BAD_REQUEST, &format!("{e:#}")),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("odata-version", HeaderValue::from_static("4.0"));
        for (name, value) in self.2 {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        match self.1 {
            Some(body) => (self.0, headers, Json(body)).into_response(),
            None => (self.0, headers).into_response(),
        }
    }
}

impl Service {
    /// A service over these machines that appends one line per request to `log`.
    pub fn new(log: &Path, machines: Vec<Arc<Machine>>) -> Result<Self> {
        let file = std::fs::File::options().create(true).append(true).open(log);
        Ok(Self {
            machines: Arc::new(machines.into_iter().map(|m| (m.spec().name.clone(), m)).collect()),
            sessions: Sessions::default(),
            log: Arc::new(Mutex::new(file.with_context(|| format!("cannot write {}", log.display()))?)),
        })
    }

    /// The service as an HTTP router.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// Appends one line: method, path, status, body. Session bodies hold passwords and are left out.
    fn record(&self, method: &Method, path: &str, status: StatusCode, body: &[u8]) {
        let body = if path.ends_with("/Sessions") { "".into() } else { String::from_utf8_lossy(body) };
        let line = format!("{method} {path} {} {body}\n", status.as_u16());
        let _ = self.log.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }

    async fn answer(&self, method: &Method, path: &[&str], headers: &HeaderMap, body: &Value) -> Answer {
        // The root and the opening of a session need no credentials (DSP0266, security).
        match (method.as_str(), path) {
            ("GET", []) => return Answer::ok(r::root()),
            ("POST", ["SessionService", "Sessions"]) => return self.open_session(body),
            _ => {}
        }
        let known = self.sessions.credentials(headers);
        let Some(credentials) = known.filter(|c| self.machines.values().any(|m| c.open(m.spec()))) else {
            return unauthorized();
        };
        match (method.as_str(), path) {
            ("GET", ["SessionService"]) => Answer::ok(r::session_service()),
            ("GET", ["SessionService", "Sessions"]) => {
                Answer::ok(r::collection("SessionService/Sessions", "Session", &[]))
            }
            ("DELETE", ["SessionService", "Sessions", number]) => {
                self.sessions.remove(number);
                Answer::done()
            }
            ("GET", ["Registries"]) => {
                let members = [format!("Registries/{}", r::REGISTRY)];
                Answer::ok(r::collection("Registries", "MessageRegistryFile", &members))
            }
            ("GET", ["Registries", name]) if *name == r::REGISTRY => Answer::ok(r::registry_file()),
            ("GET", ["Registries", name, "en"]) if *name == r::REGISTRY => Answer::ok(r::registry()),
            ("GET", ["Systems"]) => self.collection("Systems", "ComputerSystem", &credentials),
            ("GET", ["Managers"]) => self.collection("Managers", "Manager", &credentials),
            ("GET", ["Chassis"]) => self.collection("Chassis", "Chassis", &credentials),
            (_, [group @ ("Systems" | "Managers" | "Chassis"), name, rest @ ..]) => {
                let Some(machine) = self.machines.get(*name) else { return Answer::missing() };
                if !credentials.open(machine.spec()) {
                    return unauthorized();
                }
                machine_answer(machine, method.as_str(), group, rest, body).await
            }
            _ => Answer::missing(),
        }
    }

    fn open_session(&self, body: &Value) -> Answer {
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let credentials = Credentials { username: word("UserName"), password: word("Password") };
        if !self.machines.values().any(|m| credentials.open(m.spec())) {
            return unauthorized();
        }
        let username = credentials.username.clone();
        let (number, token) = self.sessions.create(credentials);
        let headers =
            vec![("x-auth-token", token), ("location", format!("{}/SessionService/Sessions/{number}", r::ROOT))];
        Answer(StatusCode::CREATED, Some(r::session(number, &username)), headers)
    }

    fn collection(&self, path: &str, kind: &str, credentials: &Credentials) -> Answer {
        let mine = self.machines.values().filter(|m| credentials.open(m.spec()));
        let members: Vec<String> = mine.map(|m| format!("{path}/{}", m.spec().name)).collect();
        Answer::ok(r::collection(path, kind, &members))
    }
}

fn unauthorized() -> Answer {
    let mut answer = Answer::error(StatusCode::UNAUTHORIZED, "the user name or the password is wrong");
    answer.2.push(("www-authenticate", "Basic realm=\"bench\"".to_owned()));
    answer
}

async fn handle(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY).await.unwrap_or_else(|_| Bytes::new());
    let path = parts.uri.path().to_owned();
    let answer = match path.strip_prefix(r::ROOT) {
        None if path.trim_end_matches('/') == "/redfish" => Answer::ok(json!({ "v1": format!("{}/", r::ROOT) })),
        None => Answer::missing(),
        Some(rest) => {
            let segments: Vec<&str> = rest.split('/').filter(|s| !s.is_empty()).collect();
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            service.answer(&parts.method, &segments, &parts.headers, &body).await
        }
    };
    service.record(&parts.method, &path, answer.0, &bytes);
    answer.into_response()
}

/// Answers for one machine's system, manager or chassis.
async fn machine_answer(machine: &Arc<Machine>, method: &str, group: &str, rest: &[&str], body: &Value) -> Answer {
    let faults = machine.faults();
    tokio::time::sleep(faults.delay()).await;
    if let Some(status) = faults.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return Answer::error(status, "fault put on this BMC by a test");
    }
    let (spec, state) = (machine.spec(), machine.state().await);
    let name = &spec.name;
    let below = |path: &str, kind: &str, members: &[String]| {
        Answer::ok(r::collection(&format!("{group}/{name}/{path}"), kind, members))
    };
    match (method, group, rest) {
        ("GET", "Systems", []) => Answer::ok(r::system(spec, &state, machine.is_on().await)),
        ("PATCH", "Systems", []) => patch_boot(machine, &body["Boot"]).await,
        ("GET", "Managers", []) => Answer::ok(r::manager(spec)),
        ("GET", "Chassis", []) => Answer::ok(r::chassis(spec)),
        ("POST", "Systems", ["Actions", "ComputerSystem.Reset"]) if faults.ignore_reset => Answer::done(),
        ("POST", "Systems", ["Actions", "ComputerSystem.Reset"])
            if faults.refuse_soft && body["ResetType"].as_str().is_some_and(|kind| kind.starts_with("Graceful")) =>
        {
            Answer::error(StatusCode::BAD_REQUEST, "no operating system listens")
        }
        ("POST", "Systems", ["Actions", "ComputerSystem.Reset"]) => reset(machine, &body["ResetType"]).await,
        ("GET", "Managers", ["VirtualMedia"]) => {
            below("VirtualMedia", "VirtualMedia", &[format!("Managers/{name}/VirtualMedia/Cd")])
        }
        ("GET", "Managers", ["VirtualMedia", "Cd"]) => Answer::ok(r::virtual_cd(spec, &state)),
        ("POST", "Managers", ["VirtualMedia", "Cd", "Actions", action]) => match (*action, body["Image"].as_str()) {
            ("VirtualMedia.InsertMedia", _) if faults.refuse_media => {
                Answer::error(StatusCode::BAD_REQUEST, "the image cannot be reached")
            }
            ("VirtualMedia.InsertMedia", Some(url)) => Answer::result(machine.insert(url).await),
            ("VirtualMedia.EjectMedia", _) => Answer::result(machine.eject().await),
            _ => Answer::error(StatusCode::BAD_REQUEST, "an Image is needed"),
        },
        ("GET", "Systems", ["SecureBoot"]) => Answer::ok(r::secure_boot(spec, &state)),
        ("PATCH", "Systems", ["SecureBoot"]) => match body["SecureBootEnable"].as_bool() {
            Some(on) => Answer::result(machine.change(|s| s.secure_boot = on).await),
            None => Answer::error(StatusCode::BAD_REQUEST, "SecureBootEnable is needed"),
        },
        ("GET", "Systems", ["EthernetInterfaces"]) => {
            let members = [format!("Systems/{name}/EthernetInterfaces/{}", spec.mac)];
            below("EthernetInterfaces", "EthernetInterface", &members)
        }
        ("GET", "Systems", ["EthernetInterfaces", mac]) if *mac == spec.mac => Answer::ok(r::ethernet_interface(spec)),
        ("GET", "Systems", ["Processors"]) => {
            below("Processors", "Processor", &[format!("Systems/{name}/Processors/CPU0")])
        }
        ("GET", "Systems", ["Processors", "CPU0"]) => Answer::ok(r::processor(spec)),
        ("GET", "Systems", [kind @ ("SimpleStorage" | "Storage")]) => below(kind, kind, &[]),
        (_, "Systems", ["Bios", rest @ ..]) => bios(machine, method, rest, body).await,
        _ => Answer::missing(),
    }
}

async fn bios(machine: &Arc<Machine>, method: &str, rest: &[&str], body: &Value) -> Answer {
    let (spec, state) = (machine.spec(), machine.state().await);
    match (method, rest) {
        ("GET", []) => Answer::ok(r::bios(spec, &state)),
        ("GET", ["Settings"]) => Answer::ok(r::bios_settings(spec, &state)),
        ("PATCH", ["Settings"]) => {
            let mut wanted = BTreeMap::new();
            for (key, value) in body["Attributes"].as_object().into_iter().flatten() {
                match value.as_str().filter(|v| state.bios.contains_key(key) && ["Enabled", "Disabled"].contains(v)) {
                    Some(word) => wanted.insert(key.clone(), word.to_owned()),
                    None => return Answer::error(StatusCode::BAD_REQUEST, &format!("{key} cannot be {value}")),
                };
            }
            Answer::result(machine.change(|s| s.bios_pending.extend(wanted)).await)
        }
        ("POST", ["Actions", "Bios.ResetBios"]) => {
            let defaults = super::state::State::new(spec.firmware).bios;
            Answer::result(machine.change(|s| s.bios_pending = defaults).await)
        }
        _ => Answer::missing(),
    }
}

async fn patch_boot(machine: &Arc<Machine>, boot: &Value) -> Answer {
    let word = |key: &str| boot[key].as_str();
    let target = word("BootSourceOverrideTarget").map(r::target);
    let enabled = word("BootSourceOverrideEnabled").map(r::enabled);
    let mode = word("BootSourceOverrideMode").map(Firmware::from_redfish);
    if [target.map(|x| x.is_none()), enabled.map(|x| x.is_none()), mode.map(|x| x.is_none())].contains(&Some(true)) {
        return Answer::error(StatusCode::BAD_REQUEST, "a boot setting has a value that this system does not offer");
    }
    let change = machine.change(|state| {
        let now = &mut state.boot;
        if let Some(target) = target.flatten() {
            now.target = target;
            // A target without a duration is for one start, the least surprising choice of those seen on hardware.
            now.enabled =
                if now.enabled == super::state::Enabled::Disabled { super::state::Enabled::Once } else { now.enabled };
        }
        now.enabled = enabled.flatten().unwrap_or(now.enabled);
        now.mode = mode.flatten().unwrap_or(now.mode);
        if let Some(uri) = boot.get("HttpBootUri") {
            now.http_boot_uri = uri.as_str().map(str::to_owned);
        }
    });
    Answer::result(change.await)
}

async fn reset(machine: &Arc<Machine>, kind: &Value) -> Answer {
    let result = match kind.as_str().unwrap_or_default() {
        "ForceOff" => machine.power_off().await,
        "GracefulShutdown" => machine.press_button().await,
        "PushPowerButton" if machine.is_on().await => machine.press_button().await,
        "On" | "ForceOn" | "PushPowerButton" => machine.power_on().await,
        "ForceRestart" | "GracefulRestart" => machine.restart().await,
        other => return Answer::error(StatusCode::BAD_REQUEST, &format!("ResetType {other} is not offered")),
    };
    Answer::result(result)
}

/// Lines of a request log that a test looks for, as (method, path, status).
pub fn read_log(file: &Path) -> Result<Vec<(String, String, u16)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.parse().ok()?))
        })
        .collect())
}
