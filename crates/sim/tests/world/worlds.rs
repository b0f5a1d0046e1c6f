//! Where scenarios start from.

use std::time::Duration;

use b2bua::{Code, Order, Party};
use number::Number;
use sim::{Weather, World};

pub(crate) const LINE: &str = "+78005553535";
pub(crate) const COURIER: &str = "+79991111111";
pub(crate) const CLIENT: &str = "+79992222222";
pub(crate) const STRANGER: &str = "+79993333333";
pub(crate) const OPERATOR: &str = "+78120000001";

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn world() -> World {
    World::new(sim::config(), Weather::FAIR, 1)
}

/// Order 12345 binds the courier and the client.
pub(crate) fn with_order(mut world: World) -> World {
    let party = |text| Party { number: Number::parse(text).expect("a number"), language: None };
    let (courier, client) = (party(COURIER), party(CLIENT));
    world.orders.put(Order { code: Code::parse("12345").expect("a code"), courier, client, data: None });
    world
}
