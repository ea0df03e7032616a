//! Many vectors into one: the windows of a long text.

/// The mean of vectors of equal dimension, each with its weight, at unit length. One vector stays as it is.
///
/// Expects at least one vector.
pub(super) fn weighted_mean(mut vectors: Vec<(usize, Vec<f32>)>) -> Vec<f32> {
    if vectors.len() == 1 {
        return vectors.remove(0).1;
    }
    let mut mean = vec![0.0; vectors[0].1.len()];
    for (weight, vector) in vectors {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += weight as f32 * value;
        }
    }
    scale_to_unit_length(&mut mean);
    mean
}

/// Leaves the zero vector, which has no direction, as it is.
pub(super) fn scale_to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide_where_the_mean_points() {
        let mean = weighted_mean(vec![(3, vec![1.0, 0.0]), (4, vec![0.0, 1.0])]);
        assert!((mean[0] - 0.6).abs() < 1e-6 && (mean[1] - 0.8).abs() < 1e-6, "{mean:?}");
    }

    #[test]
    fn a_single_window_is_its_own_mean() {
        assert_eq!(weighted_mean(vec![(0, vec![0.6, 0.8])]), vec![0.6, 0.8]);
    }
}
