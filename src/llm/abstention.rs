//! The sentence with which an answer says that the documents do not contain one.

use whatlang::{Detector, Lang};

use crate::text::markers::markers;

/// In English, which is what the built-in system message says; it stands for the sentence in the question's language.
pub const NOT_IN_THE_DOCUMENTS: &str = "The documents do not contain an answer to this question.";

const IN_OTHER_LANGUAGES: [(Lang, &str); 15] = [
    (Lang::Deu, "Die Dokumente enthalten keine Antwort auf diese Frage."),
    (Lang::Fra, "Les documents ne contiennent pas de réponse à cette question."),
    (Lang::Spa, "Los documentos no contienen una respuesta a esta pregunta."),
    (Lang::Ita, "I documenti non contengono una risposta a questa domanda."),
    (Lang::Por, "Os documentos não contêm uma resposta para esta pergunta."),
    (Lang::Nld, "De documenten bevatten geen antwoord op deze vraag."),
    (Lang::Swe, "Dokumenten innehåller inget svar på den här frågan."),
    (Lang::Dan, "Dokumenterne indeholder ikke et svar på dette spørgsmål."),
    (Lang::Pol, "Dokumenty nie zawierają odpowiedzi na to pytanie."),
    (Lang::Tur, "Belgeler bu sorunun yanıtını içermiyor."),
    (Lang::Rus, "В документах нет ответа на этот вопрос."),
    (Lang::Ukr, "У документах немає відповіді на це запитання."),
    (Lang::Cmn, "文档中没有这个问题的答案。"),
    (Lang::Jpn, "この質問に対する答えは文書にありません。"),
    (Lang::Kor, "문서에 이 질문에 대한 답이 없습니다."),
];

/// From here on a language is taken to be recognised. Of 4,229 English questions of the sets in docs/eval.md, 1 in 200 is
/// taken for another language; the library's own "reliable" begins at .9 and leaves out most German questions.
const CLEAR: f64 = 0.4;

/// Of a question, enough to tell its language by.
const MOST_CHARS: usize = 1_000;

/// The sentence in the question's language, where that is clear: a few words are not enough to tell one European
/// language from another, and English is understood by most.
pub fn not_in_the_documents(question: &str) -> &'static str {
    let question = question.char_indices().nth(MOST_CHARS).map_or(question, |(end, _)| &question[..end]);
    let languages = IN_OTHER_LANGUAGES.iter().map(|(language, _)| *language).chain([Lang::Eng]).collect();
    let detected =
        Detector::with_allowlist(languages).detect(question).filter(|detected| detected.confidence() >= CLEAR);
    let sentence = |language| IN_OTHER_LANGUAGES.iter().find(|(of, _)| *of == language).map(|(_, sentence)| *sentence);
    detected.and_then(|detected| sentence(detected.lang())).unwrap_or(NOT_IN_THE_DOCUMENTS)
}

/// Whether a model's answer is that sentence, in whatever language: as written or nearly so, and citing nothing.
///
/// An answer that cites a source found something, whatever else it says.
pub fn is_abstention(answer: &str) -> bool {
    if !markers(answer).is_empty() {
        return false;
    }
    let answer = words(answer);
    let sentences = IN_OTHER_LANGUAGES.iter().map(|(_, sentence)| *sentence).chain([NOT_IN_THE_DOCUMENTS]);
    sentences.map(words).any(|sentence| answer.contains(&sentence))
}

/// Lower-case words between single spaces: models vary quotation marks, capitals and the full stop.
fn words(text: &str) -> String {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreed_sentence_is_an_abstention_in_the_variations_of_models() {
        assert!(is_abstention(NOT_IN_THE_DOCUMENTS));
        assert!(is_abstention("\"the documents do not contain an answer to this question\""));
        assert!(is_abstention("**The documents do not contain an answer to this question.**\n"));
        assert!(is_abstention("Sorry. The documents do not contain an answer to this question."));
        assert!(is_abstention("„Die Dokumente enthalten keine Antwort auf diese Frage“"));
        assert!(is_abstention("文档中没有这个问题的答案"));
    }

    #[test]
    fn an_answer_that_cites_or_says_something_else_is_none() {
        assert!(!is_abstention("The TTL is one hour [1]. The documents do not contain an answer to this question."));
        assert!(!is_abstention("The documents do not contain spelling mistakes."));
        assert!(!is_abstention(""));
    }

    #[test]
    fn the_sentence_is_in_the_language_of_the_question_where_that_is_clear() {
        let questions = [
            (Lang::Deu, "Wie viele Urlaubstage bekommen die Angestellten im ersten Jahr?"),
            (Lang::Fra, "Combien de jours de congé les employés ont-ils pendant la première année ?"),
            (Lang::Spa, "¿Cuántos días de vacaciones tienen los empleados durante el primer año?"),
            (Lang::Pol, "Ile dni urlopu mają pracownicy w pierwszym roku zatrudnienia?"),
            (Lang::Rus, "Сколько дней отпуска получают сотрудники в первый год?"),
            (Lang::Cmn, "员工第一年有多少天年假?"),
            (Lang::Jpn, "社員は初年度に何日の休暇を取れますか。"),
            (Lang::Kor, "직원들은 첫해에 휴가를 며칠 받나요?"),
        ];
        for (language, question) in questions {
            let expected = IN_OTHER_LANGUAGES.iter().find(|(of, _)| *of == language).unwrap().1;
            assert_eq!(not_in_the_documents(question), expected, "{question}");
        }
        let in_english =
            ["How many days of leave do employees get in their first year?", "ttl?", "Redis Cluster", "42", ""];
        for question in in_english {
            assert_eq!(not_in_the_documents(question), NOT_IN_THE_DOCUMENTS, "{question}");
        }
    }
}
