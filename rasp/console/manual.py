"""What every word of the language means, in a line or two: for help and for completion."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

EntryKind: TypeAlias = Literal["s-op", "selector", "value", "form", "function", "keyword", "command"]


class Entry(NamedTuple):
    """A word: what it is, how it is written, what it does, and an example to try."""

    kind: EntryKind
    usage: str
    text: str
    example: str = ""

    @property
    def note(self) -> str:
        """The entry in a line: how a function is called, and what it does."""
        return f"{self.usage}: {self.text}" if "(" in self.usage else self.text


def _function(usage: str, text: str, example: str) -> Entry:
    return Entry("function", usage, text, example)


ENTRIES: dict[str, Entry] = {
    # inputs
    "tokens": Entry("s-op", "tokens", "the input, as strings (a variable: it may be set)", 'tokens("hey");'),
    "tokens_str": Entry("s-op", "tokens_str", "the input, each token as a string", "tokens_str([1, 2]);"),
    "tokens_int": Entry("s-op", "tokens_int", "the input, each token as an int", 'tokens_int("123");'),
    "tokens_float": Entry("s-op", "tokens_float", "the input, each token as a float", "tokens_float([1, 2.5]);"),
    "tokens_bool": Entry("s-op", "tokens_bool", "the truth value of each token", "tokens_bool([0, 1]);"),
    "tokens_asis": Entry("s-op", "tokens_asis", "the input as it is given", "tokens_asis([1, 2]);"),
    "indices": Entry("s-op", "indices", "the position, counted from 0", "indices;"),
    "length": Entry("s-op", "length", "the number of positions, at every position", "length;"),
    "full_s": Entry("selector", "full_s", "selects every cell", "full_s;"),
    "True": Entry("value", "True", "the true boolean"),
    "False": Entry("value", "False", "the false boolean"),
    "out": Entry("value", "out", "the value of the last expression statement or assignment", "1 + 1; out * 2;"),
    # forms
    "select": Entry(
        "form",
        "select(KEYS, QUERIES, OP)",
        "a selector: row i selects every column j where KEYS[j] OP QUERIES[i]; OP is one of == != < <= > >=",
        "select(indices, indices, <);",
    ),
    "aggregate": Entry(
        "form",
        "aggregate(SELECTOR, VALUE, DEFAULT)",
        "an s-op: at each position the mean of VALUE over the selected positions; the value itself where one is "
        "selected, DEFAULT (0 when left out) where none is",
        "aggregate(select(indices, length - 1 - indices, ==), tokens);",
    ),
    "indicator": Entry("form", "indicator(S)", "1 where the s-op is true, else 0", 'indicator(tokens == "l");'),
    "round": Entry("form", "round(X)", "the nearest int; ties go to the even one", "round(indices / 2);"),
    "range": Entry("form", "range(STOP) or range(START, STOP, STEP)", "a list of ints", "range(5, 0, -2);"),
    "zip": Entry("form", "zip(L1, L2, ..)", "a list of lists: the first of each, the second of each, ..",
                 'zip([1, 2], ["a", "b"]);'),
    "len": Entry("form", "len(LIST)", "how many elements a list has (for an input use the s-op length)",
                 "len([1, 2, 3]);"),
    # functions of the library
    "selector_width": _function("selector_width(s)", "how many positions each row of a selector selects",
                                "selector_width(select(tokens, tokens, ==));"),
    "select_best": _function(
        "select_best(s, score)",
        "a selector: of the keys that s selects in a row, those whose score is the largest",
        "select_best(select(tokens, tokens, ==) and select(indices, indices, <), indices);",
    ),
    "has_focus": _function("has_focus(s)", "whether each row of a selector selects anything",
                           "has_focus(select(indices, indices, <));"),
    "count": _function("count(seq, atom)", "at how many positions seq equals atom", 'count(tokens, "l");'),
    "contains": _function("contains(seq, atom)", "whether seq equals atom at any position, at every position",
                          'contains(tokens, "l");'),
    "max": _function("max(a, b)", "the larger of two atoms or s-ops", "max(indices, 2);"),
    "min": _function("min(a, b)", "the smaller of two atoms or s-ops", "min(indices, 2);"),
    "average": _function("average(seq)", "the mean over all positions", "average(indices);"),
    "load_from_location": _function("load_from_location(seq, location)",
                                    "seq at position location; 0 where there is none",
                                    "load_from_location(tokens, 1);"),
    "shift": _function("shift(seq, n, filler)", "seq moved n to the right, filler where nothing arrives",
                       'shift(tokens, 1, "-");'),
    "mark_last_instance": _function("mark_last_instance(seq, val)",
                                    "True where seq equals val and no later element of seq equals that val",
                                    'mark_last_instance(tokens, "l");'),
    "mark_first_instance": _function("mark_first_instance(seq, val)",
                                     "True where seq equals val and no earlier element of seq equals that val",
                                     "mark_first_instance(tokens, tokens);"),
    "select_from_last": _function("select_from_last(seq, val)", "selector of the positions mark_last_instance marks",
                                  'select_from_last(tokens, "l");'),
    "select_from_first": _function("select_from_first(seq, val)",
                                   "selector of the positions mark_first_instance marks",
                                   'select_from_first(tokens, "l");'),
    "sort": _function("sort(seq, key)", "seq in the rising order of key; ties keep their order",
                      "sort(tokens, tokens);"),
    "select_next_identical": _function("select_next_identical(seq)",
                                       "selector from each position to the next one with the same value",
                                       "select_next_identical(tokens);"),
    "contains_any": _function(
        "contains_any(id, ids, members)",
        "a selector: the keys whose id is in the query's set, that is one of the list ids whose boolean in the list "
        "members is true at the query",
        "contains_any(indices, [0, 2], [indices > 1, tokens == \"l\"]);",
    ),
    # relations, which come with the input
    "relation": _function(
        "relation(NAME) or relation(NAME, LABEL)",
        "a selector that comes with the input: an edge [u, v] of that name marks key u in the row of v; with a LABEL, "
        "an atom or an s-op at the query, only the edges that have it",
        'set example {"tokens": "abc", "edges": [[0, 1], [1, 2, "far"]]}\n       edges = relation("edges");',
    ),
    "transpose": _function(
        "transpose(s)", "every edge of a selector the other way round; not of a select_best",
        'transpose(relation("edges"));',
    ),
    "label": _function(
        "label(relation(NAME))", "what the edges carry: the value of an aggregate over that relation",
        'aggregate(relation("edges"), label(relation("edges")));',
    ),
    # keywords and statements
    "def": Entry("keyword", "def NAME(A, B) { statements return E; }", "defines a function",
                 "def inc(x) { return x + 1; }"),
    "return": Entry("keyword", "return E1, E2;", "the last statement of a function: what a call gives"),
    "for": Entry("keyword", "for NAME in LIST { statements }", "runs the statements for each element",
                 "s = 0; for i in range(4) { s = s + i; } s;"),
    "in": Entry("keyword", "X in LIST", "whether X is among the elements; the loosest operator",
                'tokens in ["a", "e"];'),
    "if": Entry("keyword", "A if CONDITION else B", "A where the condition holds, else B",
                '"x" if indices > 1 else tokens;'),
    "else": Entry("keyword", "A if CONDITION else B", "A where the condition holds, else B"),
    "not": Entry("keyword", "not X", "true where X is not; binds tighter than ==, so write not (a == b)",
                 'not (tokens == "l");'),
    "and": Entry("keyword", "A and B", "both; for selectors cell by cell. Shares one level with or",
                 "select(tokens, tokens, ==) and select(indices, indices, <);"),
    "or": Entry("keyword", "A or B", "either; for selectors cell by cell. Shares one level with and",
                "indices < 1 or indices > 3;"),
    "load": Entry("keyword", 'load "PATH";', "runs PATH.rasp and takes over its public names"),
    "draw": Entry("keyword", "draw(S); or draw(S, INPUT);", "draws how an s-op is computed, into comp_flows/",
                  "draw(length);"),
    "param": Entry("keyword", "param NAME = VALUE;", "a value that --set NAME=VALUE, or rasp.load(path, NAME=VALUE) in "
                   "Python, replaces; a word only where a name and = follow", "param n = 8;"),
    # commands
    "set example": Entry("command", "set example INPUT", "the input that everything is shown on; "
                         "also set s-op example, set selector example", 'set example "abc"'),
    "show example": Entry("command", "show example", "the running examples"),
    "examples": Entry("command", "examples on, examples off", "whether examples are shown; "
                      "also s-op examples, selector examples", "examples off"),
    "full seq display": Entry("command", "full seq display on, full seq display off",
                              "s-ops under their input, in columns", "full seq display on"),
    "exit": Entry("command", "exit or quit", "leaves the console"),
    "quit": Entry("command", "exit or quit", "leaves the console"),
}  # fmt: skip


def entry_text(entry: Entry) -> str:
    """An entry as help shows it."""
    lines = [f"{entry.usage}   ({entry.kind})", f"  {entry.text}"]
    return "\n".join([*lines, *([f"  try: {entry.example}"] if entry.example else [])])
