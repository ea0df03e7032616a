//! What counts as an answer: one finite vector for each text, all of one dimension.

use async_openai::types::embeddings::CreateEmbeddingResponse;

use crate::embedding::{Error, pooling};

/// The vectors in the order of the texts, at unit length. A `dimension` of 0 accepts any.
pub(super) fn vectors(
    response: CreateEmbeddingResponse,
    texts: usize,
    dimension: usize,
) -> Result<Vec<Vec<f32>>, Error> {
    let mut data = response.data;
    if data.len() != texts {
        return Err(Error::InvalidResponse(format!("{} vectors for {texts} texts", data.len())));
    }
    // The order of the list is not promised, the index is.
    data.sort_by_key(|embedding| embedding.index);
    if data.iter().enumerate().any(|(position, embedding)| embedding.index as usize != position) {
        return Err(Error::InvalidResponse(format!("the indexes are not 0 to {}", texts.saturating_sub(1))));
    }
    let expected = if dimension > 0 { dimension } else { data.first().map_or(0, |first| first.embedding.len()) };
    data.into_iter()
        .map(|embedding| {
            let mut vector = embedding.embedding;
            if vector.len() != expected {
                let found = vector.len();
                return Err(Error::InvalidResponse(format!("a vector of {found} numbers, not {expected}")));
            }
            pooling::scale_to_unit_length(&mut vector);
            let length: f32 = vector.iter().map(|value| value * value).sum();
            // Not so for zeros, infinities and an empty vector.
            if (length - 1.0).abs() < 1e-3 {
                Ok(vector)
            } else {
                Err(Error::InvalidResponse("a vector without a direction".to_owned()))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use async_openai::types::embeddings::Embedding;

    use super::*;

    fn response(embeddings: &[(u32, &[f32])]) -> CreateEmbeddingResponse {
        let embedding =
            |&(index, values): &(u32, &[f32])| Embedding { index, embedding: values.to_vec(), ..Embedding::default() };
        CreateEmbeddingResponse { data: embeddings.iter().map(embedding).collect(), ..Default::default() }
    }

    #[test]
    fn vectors_follow_the_index_and_have_unit_length() {
        let answer = response(&[(1, &[0.0, 2.0]), (0, &[3.0, 4.0])]);
        assert_eq!(vectors(answer, 2, 2).unwrap(), [[0.6, 0.8], [0.0, 1.0]]);
    }

    #[test]
    fn anything_else_is_refused() {
        let cases: [(&str, CreateEmbeddingResponse, usize); 7] = [
            ("too few", response(&[(0, &[1.0])]), 1),
            ("too many", response(&[(0, &[1.0]), (1, &[1.0]), (2, &[1.0])]), 1),
            ("an index twice", response(&[(0, &[1.0]), (0, &[1.0])]), 1),
            ("another dimension", response(&[(0, &[1.0, 0.0]), (1, &[1.0, 0.0])]), 3),
            ("unequal dimensions", response(&[(0, &[1.0, 0.0]), (1, &[1.0])]), 0),
            ("zeros", response(&[(0, &[0.0]), (1, &[1.0])]), 0),
            ("infinity", response(&[(0, &[f32::INFINITY]), (1, &[1.0])]), 0),
        ];
        for (name, answer, dimension) in cases {
            assert!(matches!(vectors(answer, 2, dimension), Err(Error::InvalidResponse(_))), "{name}");
        }
    }
}
