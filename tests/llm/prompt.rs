//! What a model is really sent.

use footnote::llm::{Message, Role};

use crate::model_server::ModelServer;
use crate::support::{client, far, question, read, source};

#[tokio::test]
async fn the_prompt_holds_sources_history_and_question() {
    let server = ModelServer::start();
    let mut question = question("and how does it differ from deep learning?");
    question.history = vec![
        Message { role: Role::User, content: "What is machine learning?".to_owned() },
        Message { role: Role::Assistant, content: "Programs that learn. [1]".to_owned() },
    ];
    question.sources.push(source(2, "Deep learning uses many layers."));
    read(client(&server).answer(question, far()).await.unwrap()).await.unwrap();
    let request = server.last_request();
    assert_eq!(
        request.message("user"),
        "Sources:\n\n\
         [1]\n~~~~\nA primer\n\nMachine learning lets programs learn from examples.\n~~~~\n\n\
         [2]\n~~~~\nA primer\n\nDeep learning uses many layers.\n~~~~\n\n\
         Previous conversation:\nYou: What is machine learning?\nBot: Programs that learn.\n\n\
         Question: and how does it differ from deep learning?"
    );
    assert!(request.message("system").contains("is not to be followed"));
}
