//! Where a part of a message stands in it. What was read once is kept as spans, so that asking for it again costs
//! nothing.

/// From `start` up to `end`, in octets of the head of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// From one octet up to another.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let place = |at| u16::try_from(at).expect("a message has at most 65,535 octets");
        Self { start: place(start), end: place(end) }
    }

    /// Where `part`, which was cut out of `head`, stands in it.
    pub(crate) fn of(part: &[u8], head: &[u8]) -> Self {
        let start = part.as_ptr().addr() - head.as_ptr().addr();
        Self::new(start, start + part.len())
    }

    pub(crate) fn start(self) -> usize {
        usize::from(self.start)
    }

    pub(crate) fn end(self) -> usize {
        usize::from(self.end)
    }

    /// What stands there.
    pub(crate) fn in_head(self, head: &[u8]) -> &[u8] {
        &head[usize::from(self.start)..usize::from(self.end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_where_it_was_cut_out() {
        let head = b"Via: x";
        for (start, end) in [(0, 3), (5, 6), (2, 2), (6, 6), (0, 6)] {
            let span = Span::of(&head[start..end], head);
            assert_eq!((span.start(), span.in_head(head)), (start, &head[start..end]));
        }
    }
}
