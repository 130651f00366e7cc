//! [`Referee`]: counts what the managers do, puts the fault plan into effect, and writes down what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kit::clock::Clock;
use tokio::sync::Notify;

use crate::faults::{FaultPlan, LATE, Side};
use crate::kube::{Delivery, EventInfo, Intercept, KindName, Outcome, RequestInfo, Verb, Verdict};

/// How long a request is under way.
const LATENCY: std::time::Duration = std::time::Duration::from_millis(3);
/// A list that makes up for a gap comes this much later.
const GAP: std::time::Duration = std::time::Duration::from_secs(40);
/// The names of managers' clients begin so.
pub const MANAGER: &str = "manager-";

/// The manager that starts beside the first one.
const SECOND: &str = "manager-2";

/// What the world must do, because a hook cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A manager is dead: break its connections and start another.
    Replace(Arc<str>),
    /// Start one more.
    Add,
}

/// Numbers of positions at which a plan can strike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions {
    /// Requests of managers.
    pub requests: u64,
    /// Writes among them.
    pub writes: u64,
    /// Watch events of each kind.
    pub events: BTreeMap<KindName, u64>,
}

/// A line of the story of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, in virtual time.
    pub at: Timestamp,
    /// `user`, a manager, or `world`.
    pub who: Arc<str>,
    /// What.
    pub what: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.at.strftime("%H:%M:%S%.3f");
        write!(f, "{time}  {:<10} {}", self.who, self.what)
    }
}

#[derive(Default)]
struct State {
    positions: Positions,
    dead: BTreeSet<Arc<str>>,
    orders: Vec<Order>,
    /// The request whose commit is the last act of its manager.
    last_act: Option<u64>,
    struck: bool,
    holding: bool,
    released: bool,
    late_list: bool,
    disturbed: Option<Timestamp>,
    story: Option<Vec<Line>>,
}

/// Counts, disturbs, writes down.
pub struct Referee {
    plan: FaultPlan,
    clock: Clock,
    state: Mutex<State>,
    /// Rings when there are orders.
    pub bell: Notify,
}

impl fmt::Debug for Referee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Referee").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Referee {
    /// For one run. A story costs time, so it is written only when asked for.
    pub fn new(plan: FaultPlan, clock: Clock, story: bool) -> Self {
        let state = State { story: story.then(Vec::new), ..State::default() };
        Self { plan, clock, state: Mutex::new(state), bell: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done; each order is handed out once.
    pub fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.state().orders)
    }

    /// What has been counted.
    pub fn positions(&self) -> Positions {
        self.state().positions.clone()
    }

    /// How many requests the managers have made.
    pub fn requests(&self) -> u64 {
        self.state().positions.requests
    }

    /// Whether the plan has come into effect.
    pub fn has_struck(&self) -> bool {
        self.state().struck
    }

    /// When the plan last disturbed something.
    pub fn disturbed(&self) -> Option<Timestamp> {
        self.state().disturbed
    }

    /// Ends a hold on events; answers whether there was one.
    pub fn let_go(&self) -> bool {
        let mut state = self.state();
        let held = std::mem::replace(&mut state.holding, false);
        state.released |= held;
        if held {
            state.disturbed = Some(self.clock.now());
        }
        held
    }

    /// Adds a line to the story, if it is written.
    pub fn tell(&self, who: &str, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.state().story {
            story.push(Line { at: self.clock.now(), who: who.into(), what: what() });
        }
    }

    /// The story so far.
    pub fn story(&self) -> Vec<Line> {
        self.state().story.clone().unwrap_or_default()
    }

    fn order(&self, state: &mut State, order: Order) {
        state.orders.push(order);
        self.bell.notify_one();
    }

    fn judge(&self, request: &RequestInfo) -> Verdict {
        let mut state = self.state();
        if state.dead.contains(&request.client) {
            return Verdict::Never;
        }
        state.positions.requests += 1;
        state.positions.writes += u64::from(request.is_write());
        let (count, writes) = (state.positions.requests, state.positions.writes);
        let at_write = |wanted: &u64| request.is_write() && writes == *wanted;
        let verdict = match &self.plan {
            FaultPlan::Kill { side, write } if at_write(write) => {
                state.dead.insert(request.client.clone());
                match side {
                    Side::Before => {
                        self.order(&mut state, Order::Replace(request.client.clone()));
                        Verdict::Never
                    }
                    Side::After => {
                        state.last_act = Some(request.index);
                        Verdict::CommitThenNever
                    }
                }
            }
            FaultPlan::Fail { request, error, times } if (*request..request + times).contains(&count) => {
                error.verdict()
            }
            FaultPlan::Twin { write } | FaultPlan::Blind { write, .. } if at_write(write) => {
                self.order(&mut state, Order::Add);
                state.struck = true;
                Verdict::Pass
            }
            FaultPlan::Late { write } if at_write(write) => {
                self.order(&mut state, Order::Add);
                Verdict::Late(LATE)
            }
            FaultPlan::Gap { kind, .. } if state.late_list && request.verb == Verb::List && request.kind == *kind => {
                state.late_list = false;
                Verdict::Late(GAP)
            }
            _ => Verdict::Pass,
        };
        if verdict == Verdict::Pass {
            // Answers of a server take their time, so that more than one thing happens at once.
            return if matches!(request.verb, Verb::List | Verb::Watch) { verdict } else { Verdict::Late(LATENCY) };
        }
        state.struck = true;
        let now = self.clock.now();
        state.disturbed = Some(match verdict {
            Verdict::Late(time) => now.saturating_add(time).unwrap_or(now),
            _ => now,
        });
        verdict
    }
}

fn describe(request: &RequestInfo) -> String {
    let part = request.subresource.as_deref().map(|part| format!("/{part}")).unwrap_or_default();
    let verb = format!("{:?}{part}", request.verb).to_lowercase();
    let body = match (&request.body, request.is_write()) {
        (Some(body), true) => format!(" {}", shorten(&body.to_string())),
        _ => String::new(),
    };
    format!("{verb} {} {}{body}", request.kind, request.key)
}

fn shorten(text: &str) -> String {
    const LIMIT: usize = 160;
    if text.chars().count() <= LIMIT {
        text.to_owned()
    } else {
        text.chars().take(LIMIT).chain("…".chars()).collect()
    }
}

impl Intercept for Referee {
    fn before(&self, request: &RequestInfo) -> Verdict {
        if !request.client.starts_with(MANAGER) {
            self.tell(&request.client, || describe(request));
            return Verdict::Pass;
        }
        let verdict = self.judge(request);
        let Positions { requests, writes, .. } = self.positions();
        self.tell(&request.client, || {
            let number =
                if request.is_write() { format!("#{requests} write {writes}") } else { format!("#{requests}") };
            let fate = if matches!(verdict, Verdict::Pass | Verdict::Late(LATENCY)) {
                String::new()
            } else {
                format!("   <== {verdict:?}")
            };
            format!("{number}: {}{fate}", describe(request))
        });
        verdict
    }

    fn after(&self, request: &RequestInfo, outcome: &Outcome) {
        if let Outcome::Answered(code, body) = outcome
            && *code >= 400
        {
            let why = body.as_ref().and_then(|body| body["message"].as_str()).unwrap_or_default();
            self.tell(&request.client, || format!("    {code}: {why}"));
        }
        let mut state = self.state();
        if state.last_act == Some(request.index) {
            state.last_act = None;
            self.order(&mut state, Order::Replace(request.client.clone()));
        }
    }

    fn deliver(&self, event: &EventInfo) -> Delivery {
        if event.event == "BOOKMARK" || !event.client.starts_with(MANAGER) {
            return Delivery::Pass;
        }
        let delivery = {
            let mut state = self.state();
            let count = state.positions.events.entry(event.kind.clone()).or_default();
            let number = event.position + 1;
            *count = number.max(*count);
            match &self.plan {
                FaultPlan::Stale { kind, event: at } if event.kind == *kind && number == *at && !state.struck => {
                    (state.struck, state.holding) = (true, true);
                    Delivery::Hold
                }
                FaultPlan::Blind { what, .. } if state.struck && !state.released && what.covers(&event.kind) => {
                    if &*event.client == SECOND {
                        state.holding = true;
                        Delivery::Hold
                    } else {
                        Delivery::Pass
                    }
                }
                FaultPlan::Gap { kind, event: at } if event.kind == *kind && number == *at && !state.struck => {
                    (state.struck, state.late_list) = (true, true);
                    state.disturbed = Some(self.clock.now());
                    Delivery::Gone
                }
                _ => Delivery::Pass,
            }
        };
        if delivery != Delivery::Pass {
            self.tell("world", || {
                format!("event {} {} {} <== {delivery:?}", event.kind, event.key, event.position + 1)
            });
        }
        delivery
    }
}
