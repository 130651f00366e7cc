//! Watches: each follows the history of its kind from a version on, as far as it may.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use kit::key::Key;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::failure::Failure;
use super::intercept::{Delivery, EventInfo};
use super::log::Commit;
use super::read;
use super::route::Route;
use super::selector::Selector;
use super::serve::{ConnectionReset, Form};
use super::server::{Server, WatchEnd};
use super::state::State;
use super::write::{KeyOfValue as _, shown};

/// A watch without a time limit of its own ends after this time.
const LIMIT: Duration = Duration::from_mins(45);
/// So long before its end a watch gets a bookmark.
const BOOKMARK: Duration = Duration::from_secs(2);

/// A watch under way.
pub(crate) struct Watch {
    pub(crate) client: Arc<str>,
    pub(crate) route: Route,
    selector: Selector,
    /// Objects that were there already, for a watch without a version.
    initial: VecDeque<Arc<Value>>,
    /// Position in the kind's history.
    next: usize,
    /// Events up to this version are passed over.
    after: u64,
    /// A hook has held the next event.
    pub(crate) held: bool,
    /// The next event was held and released: the hook is not asked again.
    pub(crate) released: bool,
    pub(crate) end: Option<WatchEnd>,
}

/// What a watch has to say next.
enum Next {
    Nothing,
    Event(EventInfo),
    End(WatchEnd),
}

impl Watch {
    /// The next event, without taking it. Passes over what does not concern this watch.
    fn peek(&mut self, state: &State) -> Option<(&'static str, Key, Arc<Value>)> {
        if let Some(object) = self.initial.front() {
            return Some(("ADDED", Key::of_value(object), object.clone()));
        }
        while let Some(commit) = state.nth(&self.route.kind.name, self.next) {
            if let Some((event, object)) = self.event_of(commit) {
                return Some((event, commit.key.clone(), object));
            }
            self.next += 1;
        }
        None
    }

    /// For this watch an object comes and goes also when it begins or ceases to match.
    fn event_of(&self, commit: &Commit) -> Option<(&'static str, Arc<Value>)> {
        if commit.version <= self.after || !read::in_scope(&self.route, &commit.key) {
            return None;
        }
        let matching = |object: &Option<Arc<Value>>| object.clone().filter(|object| self.selector.matches(object));
        match (matching(&commit.before), matching(&commit.after)) {
            (None, None) => None,
            (None, Some(object)) => Some(("ADDED", object)),
            (Some(_), Some(object)) => Some(("MODIFIED", object)),
            (Some(object), None) => {
                let mut object = (*object).clone();
                object["metadata"]["resourceVersion"] = json!(commit.version.to_string());
                Some(("DELETED", Arc::new(object)))
            }
        }
    }

    fn take(&mut self) {
        if self.initial.pop_front().is_none() {
            self.next += 1;
        }
        self.released = false;
    }
}

impl State {
    /// How many events the watches of a kind have not got.
    pub(crate) fn pending(&mut self, wanted: impl Fn(&Watch) -> bool) -> usize {
        let mut watches = std::mem::take(&mut self.watches);
        let count = |watch: &mut Watch| {
            let commits = self.history(&watch.route.kind.name).skip(watch.next);
            watch.initial.len() + commits.filter(|commit| watch.event_of(commit).is_some()).count()
        };
        let sum = watches.values_mut().filter(|watch| wanted(watch)).map(count).sum();
        self.watches = watches;
        sum
    }

    fn next_of(&mut self, id: u64) -> Next {
        let Some(mut watch) = self.watches.remove(&id) else { return Next::End(WatchEnd::Quiet) };
        let next = match (watch.end, self.is_held(&watch)) {
            (Some(end), _) => Next::End(end),
            (None, true) => Next::Nothing,
            (None, false) => match watch.peek(self) {
                None => Next::Nothing,
                Some((event, key, object)) => {
                    let kind = watch.route.kind.name.clone();
                    let position = *self.delivered.entry((watch.client.clone(), kind.clone())).or_default();
                    let client = watch.client.clone();
                    Next::Event(EventInfo { watch: id, client, kind, position, key, event, object })
                }
            },
        };
        self.watches.insert(id, watch);
        next
    }

    fn is_held(&self, watch: &Watch) -> bool {
        let kind = &watch.route.kind.name;
        let held = |client: Option<Arc<str>>| self.holds.contains(&(kind.clone(), client));
        !self.holds.is_empty() && (held(None) || held(Some(watch.client.clone())))
    }

    fn delivered(&mut self, event: &EventInfo) {
        *self.delivered.entry((event.client.clone(), event.kind.clone())).or_default() += 1;
        if let Some(watch) = self.watches.get_mut(&event.watch) {
            watch.take();
        }
    }
}

/// Starts a watch; answers its stream. A version that is not kept any more is an event of the stream.
pub(crate) fn start(server: &Server, client: &Arc<str>, route: &Route, form: Form) -> Result<Body, Failure> {
    let selector = Selector::parse(route.parameter("labelSelector"), route.parameter("fieldSelector"))?.checked()?;
    let seconds = match route.parameter("timeoutSeconds") {
        "" | "0" => LIMIT,
        text => Duration::from_secs(text.parse().map_err(|_| Failure::bad_request("timeoutSeconds is no number"))?),
    };
    let bookmarks = matches!(route.parameter("allowWatchBookmarks"), "true" | "1");
    let deadline = Instant::now() + seconds;
    let asked = route.resource_version()?.unwrap_or_default();
    let mut state = server.lock();
    if asked != 0 && asked < state.compacted {
        let message = format!("too old resource version: {asked} ({})", state.compacted);
        let line = line("ERROR", &Failure::expired(message).status());
        return Ok(Body::from(line));
    }
    let kind = &route.kind.name;
    let (initial, after) = match asked {
        0 => (read::select(&state, route, &selector).into_iter().map(|(_, object)| object).collect(), state.version),
        version => (VecDeque::new(), version),
    };
    let watch = Watch {
        client: client.clone(),
        next: state.count_until(kind, after),
        route: route.clone(),
        selector,
        initial,
        after,
        held: false,
        released: false,
        end: None,
    };
    let id = state.next_watch;
    state.next_watch += 1;
    state.watches.insert(id, watch);
    drop(state);
    let bookmark = bookmarks.then(|| deadline - BOOKMARK.min(seconds));
    let run = Run { server: server.clone(), id, route: route.clone(), form, deadline, bookmark, over: false };
    Ok(Body::from_stream(futures::stream::unfold(run, |mut run| async { run.step().await.map(|item| (item, run)) })))
}

/// The stream of one watch; dropping it ends the watch.
struct Run {
    server: Server,
    id: u64,
    route: Route,
    form: Form,
    deadline: Instant,
    /// When the bookmark is due.
    bookmark: Option<Instant>,
    over: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.server.lock().watches.remove(&self.id);
    }
}

impl Run {
    async fn step(&mut self) -> Option<Result<Vec<u8>, ConnectionReset>> {
        let ticks = self.server.ticks();
        while !self.over {
            // Made before the look, so that nothing is missed in between.
            let tick = ticks.notified();
            let next = self.server.lock().next_of(self.id);
            match next {
                Next::End(how) => return self.finish(how),
                Next::Event(event) => match self.verdict(&event) {
                    Delivery::Pass => {
                        self.server.lock().delivered(&event);
                        return Some(Ok(self.line(event.event, &event.object)));
                    }
                    Delivery::Hold => {
                        let mut state = self.server.lock();
                        state.holds.insert((event.kind.clone(), Some(event.client.clone())));
                        if let Some(watch) = state.watches.get_mut(&self.id) {
                            watch.held = true;
                        }
                    }
                    Delivery::Close => return self.finish(WatchEnd::Quiet),
                    Delivery::Gone => return self.finish(WatchEnd::Gone),
                    Delivery::Reset => return self.finish(WatchEnd::Reset),
                },
                Next::Nothing => {
                    let until = self.bookmark.unwrap_or(self.deadline);
                    if tokio::time::timeout_at(until, tick).await.is_err()
                        && let Some(item) = self.timed_out()
                    {
                        return Some(item);
                    }
                }
            }
        }
        None
    }

    /// At the time of the bookmark, or at the end. A bookmark would be wrong while events wait.
    fn timed_out(&mut self) -> Option<Result<Vec<u8>, ConnectionReset>> {
        if self.bookmark.take().is_none() {
            self.over = true;
            return None;
        }
        let mut state = self.server.lock();
        let id = self.id;
        let quiet = state.watches.get_mut(&id).is_some_and(|watch| !watch.held)
            && matches!(state.next_of(id), Next::Nothing)
            && state.holds.is_empty();
        let object = json!({
            "apiVersion": self.route.api_version(), "kind": self.route.kind.name.kind,
            "metadata": { "resourceVersion": state.version.to_string() },
        });
        quiet.then(|| Ok(line("BOOKMARK", &self.form.of(&object))))
    }

    fn verdict(&self, event: &EventInfo) -> Delivery {
        let state = self.server.lock();
        let released = state.watches.get(&self.id).is_some_and(|watch| watch.released);
        let hook = state.intercept.clone().filter(|_| !released);
        drop(state);
        hook.map_or(Delivery::Pass, |hook| hook.deliver(event))
    }

    fn finish(&mut self, how: WatchEnd) -> Option<Result<Vec<u8>, ConnectionReset>> {
        self.over = true;
        match how {
            WatchEnd::Quiet => None,
            WatchEnd::Gone => Some(Ok(line("ERROR", &Failure::expired("too old resource version").status()))),
            WatchEnd::Reset => Some(Err(ConnectionReset)),
        }
    }

    fn line(&self, event: &str, object: &Value) -> Vec<u8> {
        line(event, &self.form.of(&shown(&self.route, object)))
    }
}

fn line(event: &str, object: &Value) -> Vec<u8> {
    let mut line = json!({ "type": event, "object": object }).to_string().into_bytes();
    line.push(b'\n');
    line
}
