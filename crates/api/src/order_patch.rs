//! A change of an order: what is named becomes so, what is `null` is taken away, the rest stays (RFC 7396). So whoever sees numbers masked
//! can change everything else.

use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Order, Party, Quiet, Timestamp};

use crate::body::given;
use crate::draft::{NumberText, check_data, check_expiry, check_person, check_quiet, other_than};
use crate::interface::Settings;
use crate::problem::Problem;

/// The body of `PATCH /v1/orders/{code}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderPatch {
    courier: Option<PartyPatch>,
    client: Option<PartyPatch>,
    ttl_seconds: Option<i64>,
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Option<Box<RawValue>>>,
    #[serde(default, deserialize_with = "given")]
    max_calls: Option<Option<u32>>,
}

/// Of one party.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyPatch {
    number: Option<NumberText>,
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    language: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    quiet: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    time_zone: Option<Option<String>>,
}

impl OrderPatch {
    /// The order as it is to be, everything checked.
    pub(crate) fn apply(&self, order: Order, settings: &Settings, now: Timestamp) -> Result<Order, Problem> {
        let mut order = order;
        for (patch, party, quiet, which) in [
            (&self.courier, &mut order.courier, &mut order.limits.courier_quiet, "courier"),
            (&self.client, &mut order.client, &mut order.limits.client_quiet, "client"),
        ] {
            if let Some(patch) = patch {
                *party = patch.party(party, which, settings)?;
                *quiet = patch.quiet(quiet.as_ref(), which)?;
            }
        }
        other_than(order.courier.number, order.client.number)?;
        if self.ttl_seconds.is_some() || self.expires_at.is_some() {
            order.expires_at = check_expiry(self.ttl_seconds, self.expires_at.as_deref(), now)?;
        }
        if let Some(data) = &self.data {
            let checked = data.as_ref().map(|data| check_data(data, Order::LONGEST_DATA)).transpose()?;
            order.data = checked.flatten();
        }
        if let Some(most) = self.max_calls {
            order.limits.max_calls = most;
        }
        Ok(order)
    }
}

impl PartyPatch {
    fn party(&self, before: &Party, which: &str, settings: &Settings) -> Result<Party, Problem> {
        let known = NumberText(before.number.to_string());
        let text = |changed: &Option<Option<String>>, before: Option<&str>| match changed {
            Some(text) => text.clone(),
            None => before.map(str::to_owned),
        };
        let language = text(&self.language, before.language.as_deref());
        let name = text(&self.name, before.name.as_deref());
        check_person(self.number.as_ref().unwrap_or(&known), language, name, which, settings)
    }

    fn quiet(&self, before: Option<&Quiet>, which: &str) -> Result<Option<Quiet>, Problem> {
        let hours = match &self.quiet {
            Some(hours) => hours.clone(),
            None => before.map(Quiet::hours),
        };
        let zone = match (&self.time_zone, &hours) {
            (Some(zone), _) => zone.clone(),
            // A time zone means nothing once there are no hours.
            (None, None) => None,
            (None, Some(_)) => before.and_then(Quiet::zone).map(str::to_owned),
        };
        check_quiet(hours.as_deref(), zone.as_deref(), which)
    }
}
