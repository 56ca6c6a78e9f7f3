//! Any number of durations in bounded memory.

use super::Distribution;

/// The values of a distribution: all of them up to [`Durations::LIMIT`]; beyond that every
/// second, every fourth and so on, in the order of arrival. The count and the maximum are
/// always exact.
#[derive(Clone, PartialEq, Debug)]
pub struct Durations {
    values: Vec<f64>,
    /// Every n-th value is kept.
    stride: u64,
    count: u64,
    max: f64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { values: Vec::new(), stride: 1, count: 0, max: f64::NEG_INFINITY }
    }
}

impl Durations {
    /// How many values are kept at most. That gives a percentile to within a hundredth of a
    /// percent.
    pub const LIMIT: usize = 1 << 16;

    /// How many bytes the values take.
    pub const fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>()
    }

    pub fn add(&mut self, value: f64) {
        if self.count.is_multiple_of(self.stride) {
            if self.values.len() == Self::LIMIT {
                let mut place = 0_usize;
                self.values.retain(|_| {
                    place += 1;
                    !place.is_multiple_of(2)
                });
                self.stride *= 2;
            }
            if self.count.is_multiple_of(self.stride) {
                self.values.push(value);
            }
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// `None` without values. Percentiles are nearest-rank.
    pub fn distribution(&self) -> Option<Distribution> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            return None;
        }
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Some(Distribution { count: self.count, p50: rank(50), p95: rank(95), max: self.max })
    }
}

impl Extend<f64> for Durations {
    fn extend<T: IntoIterator<Item = f64>>(&mut self, values: T) {
        values.into_iter().for_each(|value| self.add(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_values_are_exact() {
        let mut sample = Durations::default();
        assert_eq!(sample.distribution(), None);
        sample.extend((1..=100).map(f64::from));
        assert_eq!(
            sample.distribution(),
            Some(Distribution { count: 100, p50: 50.0, p95: 95.0, max: 100.0 })
        );
    }

    #[test]
    fn many_values_are_sampled_evenly() {
        let mut sample = Durations::default();
        sample.extend((0..1_000_000).map(f64::from));
        let all = sample.distribution().expect("there are values");
        assert_eq!((all.count, all.max), (1_000_000, 999_999.0));
        assert!((all.p50 - 500_000.0).abs() < 1_000.0 && (all.p95 - 950_000.0).abs() < 1_000.0, "{all:?}");
        assert!(sample.values.len() <= Durations::LIMIT);
    }
}
