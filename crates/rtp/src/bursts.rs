//! Bursts of loss and the gaps between them (RFC 3611 §4.7.2): whoever hears them minds ten packets lost in a row more than
//! ten lost in ten minutes.

/// Packets received in a row that end a burst: the value the RFC recommends.
pub(crate) const GMIN: u8 = 16;

/// What became of the packets of one stream, in their order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bursts {
    /// Received in a row, to the last.
    run: u32,
    /// The losses nearer to each other than `GMIN`, to the last, and what was received between them.
    lost: u32,
    between: u32,
    whole: Counted,
}

/// Packets of bursts and of gaps that are over.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    bursts: u32,
    burst: u32,
    burst_lost: u32,
    gap: u32,
    gap_lost: u32,
}

/// What is reported of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// The share of packets lost within bursts and within gaps, 0 to 1.
    pub(crate) burst_density: f64,
    pub(crate) gap_density: f64,
    /// How many packets they last, in the mean; no burst lasts none.
    pub(crate) burst_packets: f64,
    pub(crate) gap_packets: f64,
}

impl Bursts {
    /// The next packet came, or is lost.
    pub(crate) fn take(&mut self, received: bool) {
        if received {
            self.run = self.run.saturating_add(1);
            return;
        }
        if self.run >= GMIN.into() {
            self.end();
        }
        if self.lost == 0 {
            self.whole.gap = self.whole.gap.saturating_add(self.run);
        } else {
            self.between += self.run;
        }
        self.lost = self.lost.saturating_add(1);
        self.run = 0;
    }

    /// What was lost last is a burst, or a packet by itself.
    fn end(&mut self) {
        let whole = &mut self.whole;
        match self.lost {
            0 => {}
            1 => {
                whole.gap = whole.gap.saturating_add(1);
                whole.gap_lost = whole.gap_lost.saturating_add(1);
            }
            lost => {
                whole.bursts = whole.bursts.saturating_add(1);
                whole.burst = whole.burst.saturating_add(lost + self.between);
                whole.burst_lost = whole.burst_lost.saturating_add(lost);
            }
        }
        (self.lost, self.between) = (0, 0);
    }

    /// All so far.
    pub(crate) fn summary(mut self) -> Summary {
        self.end();
        let whole = self.whole;
        let gap = whole.gap.saturating_add(self.run);
        let share = |part: u32, all: u32| f64::from(part) / f64::from(all.max(1));
        Summary {
            burst_density: share(whole.burst_lost, whole.burst),
            gap_density: share(whole.gap_lost, gap),
            burst_packets: share(whole.burst, whole.bursts),
            gap_packets: share(gap, whole.bursts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many received, so many lost, and so on.
    fn summary(runs: &[u32]) -> Summary {
        let mut bursts = Bursts::default();
        for (place, run) in runs.iter().enumerate() {
            (0..*run).for_each(|_| bursts.take(place % 2 == 0));
        }
        bursts.summary()
    }

    #[test]
    fn without_loss_all_is_one_gap() {
        let expected =
            Summary { burst_density: 0.0, gap_density: 0.0, burst_packets: 0.0, gap_packets: 100.0 };
        assert_eq!(summary(&[100]), expected);
        assert_eq!(summary(&[]).gap_packets, 0.0);
    }

    #[test]
    fn a_packet_lost_by_itself_is_of_the_gap() {
        let seen = summary(&[50, 1, 16, 1, 32]);
        assert_eq!((seen.burst_packets, seen.gap_packets), (0.0, 100.0));
        assert_eq!(seen.gap_density, 0.02);
    }

    #[test]
    fn losses_nearer_than_sixteen_are_a_burst_from_the_first_to_the_last() {
        let seen = summary(&[100, 2, 15, 3, 100]);
        assert_eq!((seen.burst_packets, seen.gap_packets), (20.0, 200.0));
        assert_eq!((seen.burst_density, seen.gap_density), (0.25, 0.0));
    }

    #[test]
    fn lengths_are_means_and_a_burst_at_the_end_counts() {
        let seen = summary(&[100, 4, 50, 1, 49, 2, 2, 2, 3]);
        assert_eq!(seen.burst_packets, 5.0, "of 4 and of 6");
        assert_eq!(seen.burst_density, 0.8);
        assert_eq!((seen.gap_packets, seen.gap_density), (203.0 / 2.0, 1.0 / 203.0));
    }
}
