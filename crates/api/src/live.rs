//! The calls that are going on, as their events tell.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use store::{Event, Timestamp, Ulid};

/// Calls shown at most; more than a node carries.
const CALLS: usize = 100_000;

/// One call that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LiveCall {
    pub(crate) id: Ulid,
    pub(crate) node: String,
    pub(crate) state: State,
    pub(crate) line: Option<String>,
    pub(crate) trunk: Option<String>,
    pub(crate) caller: Option<String>,
    pub(crate) caller_name: Option<String>,
    pub(crate) callee: Option<String>,
    pub(crate) callee_name: Option<String>,
    /// `courier`, `client`, `a`, `b`, `operator`, `fallback`, `named` or `second`.
    pub(crate) callee_role: Option<String>,
    pub(crate) code: Option<String>,
    /// The pair the caller is of.
    pub(crate) pair: Option<String>,
    pub(crate) caller_role: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) bridged_at: Option<Timestamp>,
    /// The caller's card in the shop's own system, else the callee's.
    pub(crate) card_url: Option<String>,
}

/// Where a call is; the words of the order call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Arriving,
    Asking,
    Matching,
    Operator,
    Dialling,
    Ringing,
    Talking,
}

/// What the data of `call.…` events may hold. Whatever else is there is for others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    line: Option<String>,
    trunk: Option<String>,
    caller: Option<String>,
    callee: Option<String>,
    callee_role: Option<String>,
    code: Option<String>,
    pair: Option<String>,
    caller_role: Option<String>,
    started_at: Option<Timestamp>,
    bridged_at: Option<Timestamp>,
    party: Option<String>,
    name: Option<String>,
    card_url: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Live {
    calls: BTreeMap<Ulid, LiveCall>,
    last: Option<Ulid>,
}

impl Live {
    /// Without calls, after this event.
    pub(crate) fn beginning(last: Option<Ulid>) -> Self {
        Self { last, ..Self::default() }
    }

    /// The last event taken in: what comes after it is not in the table. Before there was any, one that is before all.
    pub(crate) fn last_event(&self) -> Ulid {
        self.last.unwrap_or(Ulid(0))
    }

    pub(crate) fn call(&self, id: Ulid) -> Option<&LiveCall> {
        self.calls.get(&id)
    }

    /// Oldest first, after this one.
    pub(crate) fn after(&self, id: Option<Ulid>) -> impl Iterator<Item = &LiveCall> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.calls.range((from, Bound::Unbounded)).map(|(_, call)| call)
    }

    /// Takes in one event; those that are not about a call change nothing.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.last = Some(event.id);
        let Some(id) = event.call else { return };
        let data: Data = serde_json::from_str(event.data.as_str()).unwrap_or_default();
        match event.kind.as_str() {
            "call.arrived" | "call.originated" if self.calls.len() < CALLS => {
                self.calls.insert(id, arrived(id, event, data));
            }
            "call.restored" if self.calls.len() < CALLS => {
                self.calls.insert(id, restored(id, event, data));
            }
            "call.ended" => {
                self.calls.remove(&id);
            }
            kind => {
                if let Some(call) = self.calls.get_mut(&id) {
                    advance(call, kind, event.at, data);
                }
            }
        }
    }
}

fn arrived(id: Ulid, event: &Event, data: Data) -> LiveCall {
    LiveCall {
        id,
        node: event.node.clone(),
        state: State::Arriving,
        line: data.line,
        trunk: data.trunk,
        caller: data.caller,
        caller_name: None,
        callee: None,
        callee_name: None,
        callee_role: None,
        code: None,
        pair: None,
        caller_role: None,
        started_at: event.at,
        bridged_at: None,
        card_url: None,
    }
}

/// The node died and is back; the call was talking, and is.
fn restored(id: Ulid, event: &Event, data: Data) -> LiveCall {
    LiveCall {
        state: State::Talking,
        callee: data.callee.clone(),
        callee_role: data.callee_role.clone(),
        code: data.code.clone(),
        pair: data.pair.clone(),
        caller_role: data.caller_role.clone(),
        started_at: data.started_at.unwrap_or(event.at),
        bridged_at: data.bridged_at,
        ..arrived(id, event, data)
    }
}

fn advance(call: &mut LiveCall, kind: &str, at: Timestamp, data: Data) {
    match kind {
        "call.asked" => call.state = State::Asking,
        "call.code" => call.code = data.code,
        "call.matched" => {
            call.state = State::Matching;
            call.code = data.code.or(call.code.take());
            call.pair = data.pair;
            call.caller_role = data.caller_role;
        }
        "call.operator" => call.state = State::Operator,
        "call.dialling" => {
            call.state = State::Dialling;
            // The first side of a callback stands in the caller's place.
            if data.callee_role.as_deref() == Some("first") {
                call.caller = data.callee;
            } else {
                // Another one may be called after the first: what was known of that one is not of this.
                call.callee_name = call.callee_name.take().filter(|_| call.callee == data.callee);
                call.callee = data.callee;
                call.callee_role = data.callee_role;
            }
        }
        "call.known" => {
            if data.party.as_deref() == Some("caller") {
                call.caller_name = data.name;
                call.card_url = data.card_url.or(call.card_url.take());
            } else {
                call.callee_name = data.name;
                call.card_url = call.card_url.take().or(data.card_url);
            }
        }
        "call.ringing" => call.state = State::Ringing,
        "call.bridged" => {
            call.state = State::Talking;
            call.bridged_at = Some(at);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use store::Json;

    use super::*;

    fn event(kind: &str, call: Option<Ulid>, at: u64, data: &str) -> Event {
        Event {
            id: Ulid(u128::from(at)),
            kind: kind.into(),
            at: Timestamp(at),
            node: "n".into(),
            call,
            data: Json::parse(data).unwrap(),
        }
    }

    #[test]
    fn a_call_goes_through_its_states_and_leaves() {
        let (mut live, id) = (Live::default(), Ulid(7));
        let arrived = r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111"}"#;
        let dialling = r#"{"callee_role":"client","callee":"+79992222222"}"#;
        let matched = r#"{"code":"12345","caller_role":"courier","data":{"x":1}}"#;
        let caller = r#"{"party":"caller","name":"Ann","contact":null,"code":null,"role":null,"card_url":"https://crm/1"}"#;
        let callee = r#"{"party":"callee","name":"Bob","contact":null,"code":null,"role":null,"card_url":"https://crm/2"}"#;
        for (kind, data, state) in [
            ("call.arrived", arrived, State::Arriving),
            ("call.known", caller, State::Arriving),
            ("call.asked", "{}", State::Asking),
            ("call.code", r#"{"code":"12345","order_found":true}"#, State::Asking),
            ("call.matched", matched, State::Matching),
            ("call.dialling", dialling, State::Dialling),
            ("call.known", callee, State::Dialling),
            ("call.ringing", "{}", State::Ringing),
            ("call.bridged", "{}", State::Talking),
        ] {
            live.apply(&event(kind, Some(id), 1, data));
            assert_eq!(live.call(id).map(|call| call.state), Some(state), "{kind}");
        }
        let call = live.call(id).unwrap();
        assert_eq!(call.code.as_deref(), Some("12345"));
        assert_eq!(call.caller_role.as_deref(), Some("courier"));
        assert_eq!(call.callee.as_deref(), Some("+79992222222"));
        assert_eq!(call.bridged_at, Some(Timestamp(1)));
        assert_eq!((call.caller_name.as_deref(), call.callee_name.as_deref()), (Some("Ann"), Some("Bob")));
        assert_eq!(call.card_url.as_deref(), Some("https://crm/1"));
        let operator = r#"{"callee_role":"operator","callee":"+74951112233"}"#;
        live.apply(&event("call.dialling", Some(id), 2, operator));
        assert_eq!(live.call(id).unwrap().callee_name, None, "the operator is somebody else");
        live.apply(&event("call.ended", Some(id), 2, "{}"));
        assert_eq!(live.after(None).count(), 0);
    }

    #[test]
    fn a_call_that_goes_on_is_there_as_it_was() {
        let (mut live, id) = (Live::default(), Ulid(7));
        let data = r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111","callee":"+79992222222",
            "callee_role":"client","code":"12345","caller_role":"courier","restored":1,
            "started_at":"2026-11-20T08:15:30.250Z","bridged_at":"2026-11-20T08:16:00.000Z"}"#;
        live.apply(&event("call.restored", Some(id), 1_900_000_000_000, data));
        let call = live.call(id).unwrap();
        assert_eq!((call.state, call.callee_role.as_deref()), (State::Talking, Some("client")));
        assert_eq!(call.started_at, "2026-11-20T08:15:30.250Z".parse().unwrap());
        assert_eq!(call.bridged_at, "2026-11-20T08:16:00Z".parse().ok());
        live.apply(&event("call.ended", Some(id), 2, "{}"));
        assert_eq!(live.after(None).count(), 0);
    }

    #[test]
    fn what_is_about_no_known_call_changes_nothing() {
        let mut live = Live::default();
        live.apply(&event("order.put", None, 1, "{}"));
        live.apply(&event("call.bridged", Some(Ulid(1)), 1, "{}"));
        live.apply(&event("call.ended", Some(Ulid(1)), 1, "[]"));
        assert_eq!(live.after(None).count(), 0);
    }
}
