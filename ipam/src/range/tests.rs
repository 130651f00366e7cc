//! Against a set of single numbers, and at the ends of the number line.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Where the forty numbers of the model lie: at both ends of the number line, and across the border of 64 bits.
const PLACES: [u128; 4] = [0, u128::MAX - 39, (1 << 64) - 20, 1 << 127];

proptest! {
    #[test]
    fn it_answers_as_a_set_of_single_numbers_does(
        place in proptest::sample::select(PLACES.to_vec()),
        ops in proptest::collection::vec((0..3_u8, 0..40_u128), 0..200),
    ) {
        let (mut taken, mut model) = (Taken::default(), BTreeSet::new());
        let [five, thirty] = [5, 30].map(|n| place + n);
        for (op, number) in ops {
            let number = place + number;
            match op {
                0 => prop_assert_eq!(taken.insert(number), model.insert(number)),
                1 => prop_assert_eq!(taken.remove(number), model.remove(&number)),
                _ => {
                    let start = number.clamp(five, thirty);
                    let naive = (start..=thirty).chain(five..start).find(|n| !model.contains(n));
                    prop_assert_eq!(taken.take(start, five, thirty), naive);
                    model.extend(naive);
                }
            }
            for from in place..=place + 39 {
                prop_assert_eq!(taken.contains(from), model.contains(&from));
                for to in [thirty, place + 39] {
                    let naive = (from..=to).find(|n| !model.contains(n));
                    prop_assert_eq!(taken.first_free(from, to), naive, "from {}", from);
                    if from <= to {
                        prop_assert_eq!(taken.count(from, to), model.range(from..=to).count() as u128);
                    }
                }
                if (five..=thirty).contains(&from) {
                    let naive = (from..=thirty).chain(five..from).find(|n| !model.contains(n));
                    prop_assert_eq!(taken.next_free(from, five, thirty), naive, "around from {}", from);
                }
            }
            let runs: Vec<_> = taken.runs.iter().collect();
            prop_assert!(runs.windows(2).all(|w| w[0].1 + 1 < *w[1].0), "runs touch: {:?}", runs);
        }
    }
}

#[test]
fn the_ends_of_the_number_line_are_numbers_like_others() {
    let mut taken = Taken::default();
    assert!(taken.insert(u128::MAX) && taken.insert(0) && taken.insert(u128::MAX - 1));
    assert_eq!(taken.first_free(u128::MAX - 1, u128::MAX), None);
    assert_eq!(taken.next_free(u128::MAX, 0, u128::MAX), Some(1));
    assert!(taken.remove(u128::MAX) && taken.contains(u128::MAX - 1));
    assert_eq!(taken.first_free(0, 0), None);
}

#[test]
fn a_million_addresses_with_holes_are_given_out_in_well_under_a_second() {
    let mut taken = Taken::default();
    for number in (0..1_000_000).step_by(2) {
        taken.insert(number);
    }
    let begun = std::time::Instant::now();
    for expected in (1..1_000_000).step_by(2) {
        let free = taken.first_free(0, u128::MAX).unwrap();
        assert_eq!(free, expected);
        taken.insert(free);
    }
    // The debug build on a busy machine is far slower than a release; quadratic work would take hours.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
