use super::*;

fn ask(previous: &[&str], message: &str) -> String {
    standalone_question(message, previous).question
}

#[test]
fn a_pronoun_is_replaced_by_what_the_question_before_is_about() {
    let cases = [
        (
            "What is machine learning?",
            "and how does it differ from deep learning?",
            "how does machine learning differ from deep learning?",
        ),
        ("What is machine learning?", "What are its limits?", "What are machine learning's limits?"),
        ("what's a session", "How long does it live?", "How long does a session live?"),
        ("Who was Ada Lovelace?", "When was she born?", "When was Ada Lovelace born?"),
        ("Tell me about Redis.", "Is that safe?", "Is Redis safe?"),
        ("How does the journal work?", "Who writes it?", "Who writes the journal?"),
        ("What does overfitting mean?", "But why does it happen", "why does overfitting happen"),
        ("What is Redis?", "Great, and why is it fast?", "why is Redis fast?"),
        ("What is Redis?", "Do you know if it's fast?", "Do you know if Redis's fast?"),
        ("What is the default TTL of a session?", "Can I change it?", "Can I change the default TTL of a session?"),
        ("What are embeddings?", "How are they stored in Qdrant?", "How are embeddings stored in Qdrant?"),
        ("Explain BM25", "How does it weigh rare words, and why?", "How does BM25 weigh rare words, and why?"),
    ];
    for (previous, message, expected) in cases {
        assert_eq!(ask(&[previous], message), expected);
    }
}

#[test]
fn a_long_message_stands_alone() {
    let long = format!("How does it differ from deep learning? {}", "So much for what I read about it. ".repeat(60));
    assert_eq!(ask(&["What is machine learning?"], &long), long.trim());
}

#[test]
fn where_nothing_can_be_replaced_safely_the_question_before_is_put_in_front() {
    let cases = [
        ("Which stores can keep a session?", "How fast are they?"),
        ("How do I install Redis?", "Why?"),
        ("How do I install Redis?", "and on Windows?"),
        ("What is machine learning?", "Any examples?"),
        ("What is machine learning?", "What does this method need?"),
        ("What is machine learning?", "Who needs this IT department?"),
        ("Redis or Memcached?", "Which one is faster?"),
        ("What is Redis used for?", "How does it store data?"),
        ("Does the library open on Sunday?", "In winter?"),
        ("How long is the warranty?", "What about repairs?"),
        ("How much leave do employees get?", "and contractors?"),
        ("What is the opening time of the library?", "Can I park my bike there?"),
        ("Which hotel has a pool?", "Do you know whether that's a good place for kids?"),
        ("Which hotel has a pool?", "Great, is breakfast served?"),
        ("Which hotel has a pool?", "ok um do guests get towels"),
    ];
    for (previous, message) in cases {
        assert_eq!(ask(&[previous], message), format!("{previous} {message}"));
    }
    assert_eq!(ask(&["install redis"], "why"), "install redis. why");
}

#[test]
fn another_thing_asked_about_takes_the_place_of_the_first() {
    assert_eq!(ask(&["What is machine learning?"], "What about deep learning?"), "What is deep learning?");
    assert_eq!(ask(&["How does Redis work?"], "and how about Qdrant"), "How does Qdrant work?");
    assert_eq!(ask(&["explain ai"], "what about ml?"), "explain ml", "and not the letters of `explain`");
    assert_eq!(ask(&["What is hat?"], "What about caps?"), "What is caps?");
}

#[test]
fn a_chain_of_dependent_messages_leads_back_to_its_beginning() {
    let previous = ["What is machine learning?", "Why is it useful?"];
    assert_eq!(
        ask(&previous, "How does it differ from deep learning?"),
        "How does machine learning differ from deep learning?"
    );
    let previous = ["What is machine learning?", "What about deep learning?"];
    assert_eq!(ask(&previous, "Who invented it?"), "Who invented deep learning?");
    let previous = ["What is Redis?", "How do I bake bread?"];
    assert_eq!(ask(&previous, "How long does it take?"), "How do I bake bread? How long does it take?");
}

#[test]
fn a_message_that_stands_alone_is_not_touched() {
    let messages = [
        "What is machine learning?",
        "How does machine learning differ from deep learning?",
        "What is Redis and how does it store data?",
        "Does Redis lose its data when the power fails?",
        "If a session expires, can I get it back?",
        "Is it possible to run two servers on one Redis?",
        "How long does it take to ingest 3 MB of Markdown?",
        "Who wrote the book that won the prize?",
        "Which exhibitions does the library show this week?",
        "Is it true that pythons swallow goats?",
        "session ttl",
        "15- or 30-year mortgage?",
        "And which port does the Qdrant server listen on by default?",
        "What kind of bread needs no yeast?",
        "How do I contact IT?",
        "What does the IT department do?",
        "Thank you!",
        "Great, thanks!",
        "Great Britain's highest mountain",
        "No code tools",
        "Is there a limit on uploads?",
        "What is Oslo known for, and can one swim there?",
        "Which tool that's free reads PDF?",
        "机器学习是什么?",
        "",
    ];
    for message in messages {
        let standalone = standalone_question(message, &["What is a transformer?"]);
        assert_eq!(standalone, Standalone { question: message.to_owned(), depends: false, reasons: Vec::new() });
    }
}

#[test]
fn only_a_replaced_word_or_a_missing_one_changes_what_is_searched_for() {
    let search = |previous: &str, message: &str| {
        let standalone = standalone_question(message, &[previous]);
        standalone.search_text(message).to_owned()
    };
    assert_eq!(search("What is Redis?", "Why is it fast?"), "Why is Redis fast?");
    assert_eq!(search("How do I install Redis?", "Why?"), "How do I install Redis? Why?");
    assert_eq!(search("Which stores can keep a session?", "How fast are they?"), "How fast are they?");
    assert_eq!(search("What is Redis?", "session ttl"), "session ttl");
}

#[test]
fn without_a_conversation_every_message_stands_alone() {
    for message in ["Why?", "How does it work?", "and now?"] {
        assert!(!standalone_question(message, &[]).depends);
        assert_eq!(ask(&[], message), message);
    }
}

#[test]
fn every_dependence_has_a_reason() {
    let reasons = |message| standalone_question(message, &["What is Redis?"]).reasons;
    assert_eq!(reasons("Why is it fast?"), ["a pronoun stands for something said before"]);
    assert_eq!(reasons("and Qdrant?"), ["it continues the question before"]);
    assert_eq!(reasons("Why?"), ["it has no words of its own to search for"]);
    assert_eq!(reasons("In production?"), ["it gives only the circumstances of a question"]);
    assert_eq!(reasons("Okay, is a cluster supported?"), ["it takes up the answer before"]);
}

#[test]
fn a_long_message_before_does_not_drown_the_question() {
    let long = "word ".repeat(5_000);
    let question = ask(&[&long], "Why?");
    assert!(question.chars().count() < 250 && question.ends_with("Why?"));
}
