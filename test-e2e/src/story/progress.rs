//! The live view: one line per host and per machine, what it waits for and since when.
//!
//! On a terminal the block of lines is redrawn in place; elsewhere a line is printed when it changes.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use jiff::Timestamp;
use serde_json::Value;

/// One line of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about, e.g. `host node-1`.
    pub subject: String,
    /// Its state on the wire, e.g. `inspecting`.
    pub state: String,
    /// What it waits for, in its own words; empty at rest.
    pub waits_for: String,
    /// Since when the state lasts.
    pub since: Option<Timestamp>,
    /// How long such a wait normally takes, as told beside what it waits for.
    pub usually: String,
}

impl Line {
    /// The line of a BareMetalHost.
    pub fn of_host(host: &Value) -> Self {
        let status = &host["status"];
        let state = text(&status["provisioning"]["state"]).unwrap_or("new");
        let power = if status["poweredOn"].as_bool() == Some(true) { "on" } else { "off" };
        let error = text(&status["errorMessage"]);
        let wait = condition(status, &["Progressing", "Manageable"]);
        let words = error.map(|e| format!("ERROR {e}")).or_else(|| wait.map(message)).unwrap_or_default();
        let (waits_for, usually) = apart(&words);
        Self {
            subject: format!("host {}", text(&host["metadata"]["name"]).unwrap_or("?")),
            state: format!("{state} ({power})"),
            waits_for,
            since: phase_since(status, state).or_else(|| wait.and_then(since)),
            usually,
        }
    }

    /// The line of a Metal3Machine: until it is ready it waits for its host, then for its Node.
    pub fn of_machine(machine: &Value) -> Self {
        let status = &machine["status"];
        let holds = |of: &str| named(status, of).is_some_and(|c| c["status"] == "True");
        let (state, wait) = if machine["metadata"]["deletionTimestamp"].is_string() {
            ("deleting", condition(status, &["Ready", "NodeLinked"]))
        } else if !holds("Ready") {
            ("waiting", condition(status, &["Ready"]))
        } else if holds("NodeLinked") {
            ("has its Node", None)
        } else {
            ("deployed", condition(status, &["NodeLinked"]))
        };
        let (waits_for, usually) = apart(&wait.map(message).unwrap_or_default());
        Self {
            subject: format!("machine {}", text(&machine["metadata"]["name"]).unwrap_or("?")),
            state: state.to_owned(),
            waits_for,
            since: wait.and_then(since),
            usually,
        }
    }

    fn render(&self, now: Timestamp) -> String {
        let age = self.since.map(|since| age(since, now)).unwrap_or_default();
        let usually = if self.usually.is_empty() { String::new() } else { format!("of {}", self.usually) };
        format!("{:<28} {:<21} {age:>5} {usually:<10} {}", self.subject, self.state, self.waits_for)
    }
}

/// What is shown of a line on a terminal: a longer one would take two, and the next redraw would miss its beginning.
const WIDTH: usize = 158;

/// Prints lines as they change.
#[derive(Debug, Default)]
pub struct View {
    shown: BTreeMap<String, Line>,
    drawn: usize,
}

impl View {
    /// Shows the present lines.
    pub fn show(&mut self, lines: &[Line], now: Timestamp) {
        let mut out = std::io::stdout().lock();
        // A closed standard output is no reason to stop the run.
        let _ = if out.is_terminal() { self.redraw(&mut out, lines, now) } else { self.append(&mut out, lines, now) };
    }

    fn redraw(&mut self, out: &mut impl Write, lines: &[Line], now: Timestamp) -> std::io::Result<()> {
        if self.drawn > 0 {
            write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        for line in lines {
            let text: String = line.render(now).chars().take(WIDTH).collect();
            writeln!(out, "{text}")?;
        }
        self.drawn = lines.len();
        out.flush()
    }

    fn append(&mut self, out: &mut impl Write, lines: &[Line], now: Timestamp) -> std::io::Result<()> {
        for line in lines {
            let before = self.shown.insert(line.subject.clone(), line.clone());
            // Only what a person would call a change: times alone are none.
            if before.as_ref().map(|b| (&b.state, &b.waits_for)) != Some((&line.state, &line.waits_for)) {
                writeln!(out, "{now:.0}  {}", line.render(now))?;
            }
        }
        out.flush()
    }

    /// Leaves the drawn block in place; later output starts below it.
    pub fn finish(&mut self) {
        self.drawn = 0;
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|s| !s.is_empty())
}

fn named<'a>(status: &'a Value, wanted: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|c| c["type"] == wanted)
}

/// The first of these conditions that says something.
fn condition<'a>(status: &'a Value, types: &[&str]) -> Option<&'a Value> {
    types.iter().filter_map(|wanted| named(status, wanted)).find(|c| text(&c["message"]).is_some())
}

fn message(condition: &Value) -> String {
    text(&condition["message"]).unwrap_or_default().to_owned()
}

/// When the phase of a state began. Where none is recorded for it, the last one that ended tells.
fn phase_since(status: &Value, state: &str) -> Option<Timestamp> {
    let history = &status["operationHistory"];
    let time = |phase: &str, which: &str| text(&history[phase][which])?.parse::<Timestamp>().ok();
    match state {
        "registering" => time("register", "start"),
        "inspecting" => time("inspect", "start"),
        "provisioning" => time("provision", "start"),
        "deprovisioning" => time("deprovision", "start"),
        _ => ["register", "inspect", "provision", "deprovision"].iter().filter_map(|phase| time(phase, "end")).max(),
    }
}

/// What is waited for, and how long that normally takes, out of the words of a condition.
fn apart(words: &str) -> (String, String) {
    const USUALLY: &str = " (usually ";
    let parts = words.split_once(USUALLY).and_then(|(before, rest)| Some((before, rest.split_once(')')?)));
    match parts {
        Some((before, (usually, after))) => (format!("{before}{after}"), usually.to_owned()),
        None => (words.to_owned(), String::new()),
    }
}

fn since(condition: &Value) -> Option<Timestamp> {
    text(&condition["lastTransitionTime"])?.parse().ok()
}

/// `75s`, `12m`, `3h`: two digits are enough for a glance.
fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        _ => format!("{}h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_shows_its_state_and_what_it_waits_for() {
        let host = json!({
            "metadata": {"name": "node-1"},
            "status": {
                "poweredOn": true, "provisioning": {"state": "inspecting"}, "errorMessage": "",
                // True since it was registered.
                "conditions": [{
                    "type": "Progressing", "status": "True", "reason": "Inspecting",
                    "message": "Inspecting: waiting for the agent (usually 5 min); last seen: inspect wait",
                    "lastTransitionTime": "2025-12-31T23:00:00Z",
                }],
                "operationHistory": {
                    "register": {"start": "2025-12-31T23:00:00Z", "end": "2025-12-31T23:59:00Z"},
                    "inspect": {"start": "2026-01-01T00:00:00Z", "end": null},
                },
            },
        });
        let line = Line::of_host(&host);
        assert_eq!(line.state, "inspecting (on)");
        assert_eq!(
            (line.waits_for.as_str(), line.usually.as_str()),
            ("Inspecting: waiting for the agent; last seen: inspect wait", "5 min",)
        );
        assert!(line.render(at("2026-01-01T00:01:15Z")).contains("  75s of 5 min   Inspecting"), "{line:?}");
        let mut later = host;
        later["status"]["provisioning"]["state"] = json!("preparing");
        later["status"]["operationHistory"]["inspect"]["end"] = json!("2026-01-01T00:02:00Z");
        assert_eq!(Line::of_host(&later).since, Some(at("2026-01-01T00:02:00Z")), "since its inspection ended");
    }

    #[test]
    fn an_error_comes_before_a_wait() {
        let host = json!({"metadata": {"name": "a"}, "status": {"errorMessage": "wrong password"}});
        assert_eq!(Line::of_host(&host).waits_for, "ERROR wrong password");
        assert_eq!(Line::of_host(&host).state, "new (off)");
    }

    #[test]
    fn a_machine_waits_for_its_host_and_then_for_its_node() {
        let with = |ready: &str, linked: &str| {
            json!({"metadata": {"name": "m"}, "status": {"conditions": [
                {"type": "Ready", "status": ready, "message": "host a is provisioning"},
                {"type": "NodeLinked", "status": linked, "message": "no Node yet"},
            ]}})
        };
        let line = |ready, linked| Line::of_machine(&with(ready, linked));
        assert_eq!(line("False", "Unknown").waits_for, "host a is provisioning");
        assert_eq!(line("True", "Unknown").waits_for, "no Node yet");
        assert_eq!(line("True", "True").state, "has its Node");
    }

    #[test]
    fn plain_output_repeats_nothing_but_changes() {
        let mut view = View::default();
        let mut line = Line::of_host(&json!({"metadata": {"name": "a"}}));
        let mut out = Vec::new();
        for second in 0..5 {
            view.append(&mut out, std::slice::from_ref(&line), at(&format!("2026-01-01T00:00:0{second}Z"))).unwrap();
        }
        line.state = "available (off)".into();
        view.append(&mut out, &[line], at("2026-01-01T00:00:09Z")).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
    }
}
