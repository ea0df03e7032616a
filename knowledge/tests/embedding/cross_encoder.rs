//! The built-in cross-encoder, compared with the same file in ONNX Runtime 1.32.

use footnote_knowledge::cross_encoder::CrossEncoder;

const HEAT: &str = "How hot must the oven be for the bread?";

#[tokio::test]
async fn it_says_what_the_reference_says() {
    let encoder = CrossEncoder::new(None);
    let pairs = [
        (HEAT, "Bake the bread for 25 minutes at 240 degrees.", 5.074),
        (HEAT, "Redis keeps sessions on another machine.", -11.295),
        ("Wie viele Urlaubstage gibt es im ersten Jahr?", "Angestellte erhalten im ersten Jahr 24 Urlaubstage.", 4.482),
        ("员工第一年有多少天年假?", "员工第一年享有24天年假。", 8.111),
        ("What is a TTL?", "", -10.541),
    ];
    for (question, text, expected) in pairs {
        let relevance = encoder.relevance(question, vec![text.to_owned()]).await.unwrap();
        assert!((relevance[0] - expected).abs() < 0.3, "{question} {text}: {relevance:?}, not {expected}");
    }
}

#[tokio::test]
async fn texts_keep_their_order_and_long_ones_are_read_as_far_as_they_fit() {
    let encoder = CrossEncoder::new(None);
    let long = format!("Bake the bread at 240 degrees. {}", "Redis keeps sessions. ".repeat(500));
    let texts = vec!["Redis keeps sessions.".to_owned(), long, "Bake it at 240 degrees.".to_owned()];
    let relevance = encoder.relevance(HEAT, texts).await.unwrap();
    assert!(relevance[0] < relevance[1] && relevance[0] < relevance[2], "{relevance:?}");
    assert!(encoder.relevance(HEAT, Vec::new()).await.unwrap().is_empty());
}
