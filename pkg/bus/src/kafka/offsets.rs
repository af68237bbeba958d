use std::collections::{BTreeMap, HashMap};

/// A partition of a topic, by the topic's name at the broker.
pub(super) type Place = (String, i32);

/// What is in hand of each partition, and up to where everything is done.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// Of each partition the offsets that were begun, and whether they are done. The first is never done.
    places: HashMap<Place, BTreeMap<i64, bool>>,
    waiting: usize,
}

impl Offsets {
    /// Begins a message; false if it is in hand already, as after a pause that fetched it again.
    pub(super) fn begin(&mut self, place: &Place, offset: i64) -> bool {
        let begun = self.places.entry(place.clone()).or_default();
        if begun.contains_key(&offset) {
            return false;
        }
        begun.insert(offset, false);
        self.waiting += 1;
        true
    }

    /// Ends a message: the highest offset up to which all are done, if that has moved. Nothing if the partition is lost.
    pub(super) fn finish(&mut self, place: &Place, offset: i64) -> Option<i64> {
        let begun = self.places.get_mut(place)?;
        *begun.get_mut(&offset)? = true;
        let mut last = None;
        while let Some(first) = begun.first_entry()
            && *first.get()
        {
            last = Some(*first.key());
            first.remove();
            self.waiting -= 1;
        }
        last
    }

    /// Forgets a partition: whoever has it now begins where we had stored.
    pub(super) fn lose(&mut self, place: &Place) {
        if let Some(begun) = self.places.remove(place) {
            self.waiting -= begun.len();
        }
    }

    /// Whether a message is still ours to finish.
    pub(super) fn holds(&self, place: &Place, offset: i64) -> bool {
        self.places
            .get(place)
            .is_some_and(|begun| begun.contains_key(&offset))
    }

    /// Messages begun whose offset is not stored.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        ("topic".to_owned(), partition)
    }

    #[test]
    fn an_offset_is_stored_when_all_before_it_are_done() {
        let (mut offsets, p) = (Offsets::default(), place(0));
        // Offsets have gaps: a broker may keep marks of its own among them.
        for offset in [5, 6, 8, 9] {
            assert!(offsets.begin(&p, offset));
        }
        for (done, stored, waiting) in [(8, None, 4), (6, None, 4), (5, Some(8), 1), (9, Some(9), 0)] {
            assert_eq!(offsets.finish(&p, done), stored, "after {done}");
            assert_eq!(offsets.waiting(), waiting, "after {done}");
        }
    }

    #[test]
    fn partitions_do_not_wait_for_each_other() {
        let mut offsets = Offsets::default();
        assert!(offsets.begin(&place(0), 1) && offsets.begin(&place(1), 1));
        assert_eq!(offsets.finish(&place(1), 1), Some(1));
        assert!(offsets.holds(&place(0), 1) && !offsets.holds(&place(1), 1));
    }

    #[test]
    fn what_is_in_hand_is_not_begun_twice() {
        let (mut offsets, p) = (Offsets::default(), place(0));
        assert!(offsets.begin(&p, 1) && offsets.begin(&p, 2));
        assert_eq!(offsets.finish(&p, 2), None);
        assert!(!offsets.begin(&p, 1) && !offsets.begin(&p, 2));
    }

    #[test]
    fn nothing_is_stored_for_a_lost_partition_even_if_it_comes_back() {
        let (mut offsets, p) = (Offsets::default(), place(0));
        offsets.begin(&p, 1);
        offsets.begin(&p, 2);
        offsets.lose(&p);
        assert_eq!((offsets.finish(&p, 1), offsets.waiting()), (None, 0));
        // Again from the start; the late end of 2 counts, as its effect is there, but does not pass 1.
        offsets.begin(&p, 1);
        offsets.begin(&p, 2);
        assert_eq!(offsets.finish(&p, 2), None);
        assert_eq!(offsets.finish(&p, 1), Some(2));
    }
}
