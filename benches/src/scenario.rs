//! The scenarios. Each takes how many rounds to do; a new one is a file and a line in the table.

mod order_call;
mod parse_invite;
mod relay;
mod write_invite;

/// A scenario: its name, and what runs it so many rounds.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(u64),
}

/// Every scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "parse-invite", run: parse_invite::run },
    Scenario { name: "write-invite", run: write_invite::run },
    Scenario { name: "order-call", run: order_call::run },
    Scenario { name: "relay-packet", run: relay::packet },
    Scenario { name: "relay-transcoded", run: relay::transcoded },
    Scenario { name: "relay-srtp", run: relay::srtp },
    Scenario { name: "inband-packet", run: relay::inband },
    Scenario { name: "digit", run: relay::digit },
];

#[cfg(test)]
mod tests {
    use super::SCENARIOS;

    /// A scenario panics where what came of it is not what its name says.
    #[test]
    fn every_scenario_does_what_it_says() {
        for scenario in SCENARIOS {
            (scenario.run)(100);
        }
    }
}
