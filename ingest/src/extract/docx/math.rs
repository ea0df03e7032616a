//! Equations as LaTeX, which people and models read.

use roxmltree::Node;

use crate::extract::xml;

pub(super) fn latex(node: Node) -> String {
    let mut latex = String::new();
    children(node, 0, &mut latex);
    latex.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn children(node: Node, depth: usize, latex: &mut String) {
    if depth > xml::DEEPEST {
        latex.push_str(&xml::all_text(node));
        return;
    }
    node.children().filter(Node::is_element).for_each(|child| element(child, depth, latex));
}

fn element(node: Node, depth: usize, latex: &mut String) {
    let part = |name: &str| {
        let mut latex = String::new();
        if let Some(part) = xml::child(node, name) {
            children(part, depth + 1, &mut latex);
        }
        latex
    };
    let property =
        |properties: &str, name: &str| xml::path(node, &[properties, name]).and_then(|p| xml::attribute(p, "val"));
    match xml::name(node) {
        "t" => node.text().unwrap_or_default().chars().for_each(|character| push_symbol(character, latex)),
        "f" => {
            let (numerator, denominator) = (part("num"), part("den"));
            match property("fPr", "type") {
                Some("noBar") => {
                    latex.push_str(&format!("\\genfrac{{}}{{}}{{0pt}}{{}}{{{numerator}}}{{{denominator}}}"));
                }
                Some("lin" | "skw") => latex.push_str(&format!("{numerator}/{denominator}")),
                _ => latex.push_str(&format!("\\frac{{{numerator}}}{{{denominator}}}")),
            }
        }
        "sSup" => latex.push_str(&format!("{}^{{{}}}", part("e"), part("sup"))),
        "sSub" => latex.push_str(&format!("{}_{{{}}}", part("e"), part("sub"))),
        "sSubSup" => latex.push_str(&format!("{}_{{{}}}^{{{}}}", part("e"), part("sub"), part("sup"))),
        "sPre" => latex.push_str(&format!("{{}}_{{{}}}^{{{}}}{}", part("sub"), part("sup"), part("e"))),
        "rad" => match part("deg") {
            degree if degree.is_empty() => latex.push_str(&format!("\\sqrt{{{}}}", part("e"))),
            degree => latex.push_str(&format!("\\sqrt[{degree}]{{{}}}", part("e"))),
        },
        "nary" => {
            let mut operator = String::new();
            property("naryPr", "chr").unwrap_or("∫").chars().for_each(|sign| push_symbol(sign, &mut operator));
            latex.push_str(&format!("{}_{{{}}}^{{{}}}{}", operator.trim(), part("sub"), part("sup"), part("e")));
        }
        "d" => delimited(node, depth, latex),
        "func" => latex.push_str(&format!("{}({})", function(&part("fName")), part("e"))),
        "limLow" => latex.push_str(&format!("{}_{{{}}}", function(&part("e")), part("lim"))),
        "limUpp" => latex.push_str(&format!("{}^{{{}}}", function(&part("e")), part("lim"))),
        "acc" => {
            let accent = accent(property("accPr", "chr").unwrap_or("\u{302}"));
            latex.push_str(&format!("\\{accent}{{{}}}", part("e")));
        }
        "bar" => {
            let line = if property("barPr", "pos") == Some("top") { "overline" } else { "underline" };
            latex.push_str(&format!("\\{line}{{{}}}", part("e")));
        }
        "m" => grid(node, "mr", "matrix", depth, latex),
        "eqArr" => grid(node, "e", "aligned", depth, latex),
        name if name.ends_with("Pr") => {}
        _ => children(node, depth + 1, latex),
    }
}

fn delimited(node: Node, depth: usize, latex: &mut String) {
    let sign = |name: &str, default: &'static str| {
        let sign = xml::path(node, &["dPr", name]).map(|sign| xml::attribute(sign, "val").unwrap_or_default());
        match sign.unwrap_or(default) {
            "" => ".".to_owned(),
            sign @ ("{" | "}") => format!("\\{sign}"),
            sign => sign.to_owned(),
        }
    };
    let parts: Vec<String> = xml::children(node, "e")
        .map(|part| {
            let mut latex = String::new();
            children(part, depth + 1, &mut latex);
            latex
        })
        .collect();
    let between = sign("sepChr", "|");
    latex.push_str(&format!("\\left{}{}\\right{}", sign("begChr", "("), parts.join(&between), sign("endChr", ")")));
}

/// Rows called `row`; in a matrix each has cells, else it is one cell.
fn grid(node: Node, row: &'static str, environment: &str, depth: usize, latex: &mut String) {
    let cell = |node: Node| {
        let mut latex = String::new();
        children(node, depth + 1, &mut latex);
        latex
    };
    let rows: Vec<String> = xml::children(node, row)
        .map(|row| {
            if xml::child(row, "e").is_some() {
                xml::children(row, "e").map(cell).collect::<Vec<_>>().join(" & ")
            } else {
                cell(row)
            }
        })
        .collect();
    latex.push_str(&format!("\\begin{{{environment}}}{}\\end{{{environment}}}", rows.join(" \\\\ ")));
}

/// `cos` as `\cos`; what is no name of a function stays.
fn function(name: &str) -> String {
    const FUNCTIONS: [&str; 24] = [
        "arccos", "arcsin", "arctan", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim", "exp", "gcd", "inf",
        "lim", "ln", "log", "max", "min", "sec", "sin", "sinh", "tan", "tanh",
    ];
    let bare = name.trim();
    if FUNCTIONS.contains(&bare) { format!("\\{bare}") } else { bare.to_owned() }
}

fn accent(sign: &str) -> &'static str {
    match sign {
        "\u{301}" => "acute",
        "\u{300}" => "grave",
        "\u{303}" => "tilde",
        "\u{304}" | "\u{305}" | "\u{af}" => "bar",
        "\u{306}" => "breve",
        "\u{307}" => "dot",
        "\u{308}" => "ddot",
        "\u{30c}" => "check",
        "\u{20d7}" => "vec",
        _ => "hat",
    }
}

/// Letters and signs beyond ASCII as the commands they have in LaTeX.
fn push_symbol(character: char, latex: &mut String) {
    let command = match character {
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'ε' | 'ϵ' => "epsilon",
        'ζ' => "zeta",
        'η' => "eta",
        'θ' | 'ϑ' => "theta",
        'ι' => "iota",
        'κ' => "kappa",
        'λ' => "lambda",
        'μ' | 'µ' => "mu",
        'ν' => "nu",
        'ξ' => "xi",
        'π' => "pi",
        'ρ' => "rho",
        'σ' => "sigma",
        'τ' => "tau",
        'υ' => "upsilon",
        'φ' | 'ϕ' => "phi",
        'χ' => "chi",
        'ψ' => "psi",
        'ω' => "omega",
        'Γ' => "Gamma",
        'Δ' | '∆' => "Delta",
        'Θ' => "Theta",
        'Λ' => "Lambda",
        'Ξ' => "Xi",
        'Π' => "Pi",
        'Σ' => "Sigma",
        'Φ' => "Phi",
        'Ψ' => "Psi",
        'Ω' => "Omega",
        '∑' => "sum",
        '∏' => "prod",
        '∐' => "coprod",
        '∫' => "int",
        '∬' => "iint",
        '∭' => "iiint",
        '∮' => "oint",
        '∯' => "oiint",
        '∰' => "oiiint",
        '⋃' => "bigcup",
        '⋂' => "bigcap",
        '⋀' => "bigwedge",
        '⋁' => "bigvee",
        '∪' => "cup",
        '∩' => "cap",
        '∧' => "wedge",
        '∨' => "vee",
        '∞' => "infty",
        '±' => "pm",
        '∓' => "mp",
        '×' => "times",
        '÷' => "div",
        '⋅' | '·' => "cdot",
        '∙' => "bullet",
        '≤' => "leq",
        '≥' => "geq",
        '≠' => "neq",
        '≈' => "approx",
        '≡' => "equiv",
        '∼' => "sim",
        '∝' => "propto",
        '→' => "rightarrow",
        '←' => "leftarrow",
        '⇒' => "Rightarrow",
        '⇔' => "Leftrightarrow",
        '↦' => "mapsto",
        '∈' => "in",
        '∉' => "notin",
        '⊂' => "subset",
        '⊆' => "subseteq",
        '∀' => "forall",
        '∃' => "exists",
        '∅' => "emptyset",
        '∂' => "partial",
        '∇' => "nabla",
        '…' => "dots",
        '⋯' => "cdots",
        '∘' => "circ",
        '°' => "degree",
        '\u{2061}' => return,
        '−' => return latex.push('-'),
        other => return latex.push(plain_letter(other)),
    };
    latex.push_str(&format!(" \\{command} "));
}

/// Letters of the mathematical alphabets as the letters they are.
fn plain_letter(character: char) -> char {
    let in_alphabet = |first: u32, letters: u32| {
        let offset = u32::from(character).checked_sub(first)?;
        (offset < 13 * 2 * letters).then_some(offset % (2 * letters))
    };
    match in_alphabet(0x1d400, 26) {
        Some(offset @ 0..26) => char::from_u32(u32::from('A') + offset).unwrap_or(character),
        Some(offset) => char::from_u32(u32::from('a') + offset - 26).unwrap_or(character),
        None => character,
    }
}
