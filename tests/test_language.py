"""The language row by row: statements in, printed reply out. `·` stands for a blank, `→` for a tab."""

from collections.abc import Callable, Sequence
from operator import eq, itemgetter
from random import Random

import pytest

from rasp.console import manual
from rasp.console.session import Session
from rasp.interpret import run
from rasp.language.program import parse_program
from rasp.layers import analyse


def reply(text: str) -> str:
    """What the console prints; errors as `!!` and their kind."""
    session = Session()
    answer = session.push(text)
    assert not answer.incomplete
    return "\n".join(part if isinstance(part, str) else f"!! {part.kind}" for part in answer.parts)


def last(text: str) -> str:
    """The value the console prints last, without its name: what stands after the first ` = `, or the error."""
    line = reply(text).splitlines()[-1]
    return line if line.startswith("!!") else line.partition(" = ")[2].strip()


def printed(text: str) -> str:
    return text.replace("·", " ").replace("→", "\t").strip("\n")


# -- 1. words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1+\n2;", "3"),
        ("x=1; # one", "1"),
        ("# alone\nx=1;\n# at the end", "1"),
        ("def f(x) { # here\n y=x; # and here\n # alone\n return y; # after the return\n # more\n } f(1);", "1"),
        ("for i in [1] { # here\n x=i; # there\n } x;", "1"),
        ("42;", "42"),
        ("1" * 5000 + ";", "1" * 5000),
        ("0.5;", "0.5"),
        ('"a b";', '"a b"'),
        ("True;", "True"),
        ("num_prev=1; num_prev;", "1"),
        ("a=1;A=2; a;", "1"),
        ("len([1]);", "1"),
        ("é;", "!! syntax error"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert last(text) == expected


# -- 2. statements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("indices+1;", '·····s-op: out\n·→·Example: out("hello") = [1, 2, 3, 4, 5] (ints)'),
        ("indices;", '·····s-op: indices\n·→·Example: indices("hello") = [0, 1, 2, 3, 4] (ints)'),
        ("((indices));", '·····s-op: indices\n·→·Example: indices("hello") = [0, 1, 2, 3, 4] (ints)'),
        ("3; out+1;", "····value: out =··3\n····value: out =··4"),
        ("x=3; x; out;", "····value: x =··3\n····value: x =··3\n····value: out =··3"),
        ("out=3;", "!! name error"),
        ("a=indices*2;", '·····s-op: a\n·→·Example: a("hello") = [0, 2, 4, 6, 8] (ints)'),
        ("x=tokens_int; x;", "!! value error\n!! name error"),
        ("a=1; b=a; a=2; b;", "····value: a =··1\n····value: b =··1\n····value: a =··2\n····value: b =··1"),
        ("a,b=1,2;", "····value: a =··1\n····value: b =··2"),
        ("a,b=[1,2];", "····value: a =··1\n····value: b =··2"),
        ('a,b="xy";', '····value: a =··"x"\n····value: b =··"y"'),
        ('a,b={"k":1,"l":2};', '····value: a =··"k"\n····value: b =··"l"'),
        ("a,b=1,2,3;", "!! type error"),
        ("a,b=[1];", "!! type error"),
        ("a,b=5;", "!! type error"),
        ("p=1,2;", "·····list: p = [1, 2]"),
        ("def inc(x) { return x+1; }", "·····console function: inc(x)"),
        ("def f() {return 1;} f();", "·····console function: f()\n····value: out =··1"),
        ("def two(x) { return x, x+1; } two(3);", "·····console function: two(x)\n·····list: out = [3, 4]"),
        ("for i in range(3) { s=i; }", ""),
        ("for a,b in [[1,2],[3,4]] { c=a+b; } c; a;", "····value: c =··7\n····value: a =··3"),
        ('for k in {"x":1} { y=k; } y;', '····value: y =··"x"'),
        ("for a,b in [[1,2],[3]] { c=a; }", "!! type error"),
        ('for c in "ab" { d=c; }', "!! type error"),
        (
            "for i in [1] { def f() { return i; } for j in [2] { k=j; } } f(); k;",
            "····value: out =··1\n····value: k =··2",
        ),
        (
            "def f(x) { for i in range(3) { x=x+i; } def g() { return x; } return g(); } f(1);",
            "·····console function: f(x)\n····value: out =··4",
        ),
        ("for i in [1,2,0,3] { x=1/i; } i; x;", "!! value error\n····value: i =··0\n····value: x =··0.5"),
        ("a,b=b,a;", "!! name error"),
        ("a,b=1,2; a,b=b,a;", "····value: a =··1\n····value: b =··2\n····value: a =··2\n····value: b =··1"),
    ],
)
def test_statements(text: str, expected: str) -> None:
    assert reply(text) == printed(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b=indices,tokens_int; a;", "!! value error\n!! name error"),
        ("a,b=1,nothing; a;", "!! name error\n!! name error"),
        ("a,length,b=1,2,3; a; b;", "····value: a =··1\n!! name error\n····value: a =··1\n!! name error"),
        ("length,a=1,2; a;", "!! name error\n!! name error"),
        ("a,True=1,tokens_int; a;", "!! value error\n!! name error"),
        ("a,out=1,2,3; a;", "!! type error\n!! name error"),
    ],
)
def test_several_are_checked_before_any_is_stored(text: str, expected: str) -> None:
    assert reply(text) == printed(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5; x=3; out;", "3"),
        ("a,b=1,2; out;", "2"),
        ("a,length=1,2; out;", "1"),
        ("p=1,2; out;", "[1, 2]"),
        ("5; x=nothing; out;", "5"),
        ("for i in [7] { x=i+1; } out;", "8"),
        ("5; def f() { x=3; return out; } f();", "3"),
        ("5; def f() { x=3; return 1; } y=f(); out;", "1"),
        ("x=indices; out;", "[0, 1, 2, 3, 4] (ints)"),
    ],
)
def test_out_is_what_was_assigned(text: str, expected: str) -> None:
    assert last(text) == expected


def test_an_error_points_at_the_definition_and_at_the_statement() -> None:
    session = Session()
    session.push('set example [1]\nx = 1 + tokens_int;\nset example "a"')
    (error,) = session.push("x;", first_line=4).errors
    assert str(error).splitlines() == [
        '<console>:2:9: value error: the string "a" cannot be read as an int at position 0, in tokens_int',
        "    x = 1 + tokens_int;",
        "            ^^^^^^^^^^",
        '  while it was tried on the example "a"',
        "  asked for at <console>:4:1",
        "    x;",
        "    ^^",
        '  hint: set another example: set example "…"',
    ]


def test_one_place_is_enough_where_the_statement_holds_it() -> None:
    (error,) = Session().push("def f() { return tokens_int; }\nx = f();").errors
    assert "asked for" not in str(error)


# -- 3. expressions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7%-3;", "-2"),
        ("6/3;", "2.0"),
        ("2^3;", "8"),
        ("2^-1;", "0.5"),
        ("-2^2;", "4"),
        ("2^3^2;", "64"),
        ("2*3%4;", "2"),
        ("1+7%4;", "4"),
        ("3>2>1;", "False"),
        ("1.5+True;", "2.5"),
        ('"a"+"b";', '"ab"'),
        ("[1]+[2];", "[1, 2]"),
        ('"ab"*2;', '"abab"'),
        ("[1]*2;", "[1, 1]"),
        ("2*[1];", "[1, 1]"),
        ("[1]*-1;", "[]"),
        ('1+"a";', "!! type error"),
        ('-"a";', "!! type error"),
        ("1/0;", "!! value error"),
        ("1%0;", "!! value error"),
        ("(-8)^0.5;", "!! value error"),
        ("0^-1;", "!! value error"),
        ("10.0^400;", "!! value error"),
        ("[1]-[1];", "!! type error"),
        ("[1]+1;", "!! type error"),
        ("[0]*20000000;", "!! value error"),
        ("1==1.0;", "True"),
        ("1==True;", "True"),
        ('"a"<"b";', "True"),
        ('"B"<"a";', "True"),
        ('1=="1";', "False"),
        ('1!="1";', "True"),
        ('1<"1";', "!! type error"),
        ("[1,2]==[1,2];", "True"),
        ("[1,2]<[1,3];", "True"),
        ("[1]<[1,0];", "True"),
        ("[1]!=[1];", "False"),
        ('[1]<["a"];', "!! type error"),
        ('{"a":1}=={"a":1};', "True"),
        ("[1]==1;", "False"),
        ("0 or 5;", "5"),
        ("0 and 5;", "0"),
        ('"" or "x";', '"x"'),
        ("[] or 3;", "3"),
        ("2 and [1];", "[1]"),
        ("not 0;", "True"),
        ('not "a";', "False"),
        ("not [];", "True"),
        ("1 or (1/0);", "!! value error"),
        ("indices%2==0;", "[T, F, T, F, T] (bools)"),
        ("3-indices;", "[3, 2, 1, 0, -1] (ints)"),
        ('tokens+"!";', "[h!, e!, l!, l!, o!] (strings)"),
        ("indices+[1];", "!! type error"),
        ("not tokens;", "[F]*5 (bools)"),
        ("indices and 5;", "[F, T, T, T, T] (bools)"),
        ("indices and full_s;", "!! type error"),
        ("full_s + 1;", "!! type error"),
        ("full_s == full_s;", "!! type error"),
        ("-full_s;", "!! type error"),
        ("1 and full_s;", "!! type error"),
        ("max+1;", "!! type error"),
        ("round(2.5);", "2"),
        ("round(3.5);", "4"),
        ("round(indices/2);", "[0, 0, 1, 2, 2] (ints)"),
        ('round("a");', "!! type error"),
        ("round(full_s);", "!! type error"),
        ("round(1,2);", "!! type error"),
        ('indicator(tokens=="l");', "[0, 0, 1, 1, 0] (ints)"),
        ("indicator(1);", "!! type error"),
        ("1 if True else 1/0;", "1"),
        ("1 if [] else 2;", "2"),
        ("1 if True else 2 if False else 3;", "3"),
        ('"x" if indices>1 else tokens;', "[h, e, x, x, x] (strings)"),
        ("1 if indices>1 else 2.5;", "[2.5, 2.5, 1, 1, 1] (floats)"),
        ('1 if indices>1 else "a";', "!! value error"),
        ("[1] if indices>1 else 2;", "!! type error"),
        ("full_s if indices>1 else 2;", "!! type error"),
        ("1 if full_s else 2;", "!! type error"),
        ('tokens in ["l","o"];', "[F, F, T, T, T] (bools)"),
        ("tokens in [indices];", "!! type error"),
        ('tokens in "lo";', "!! type error"),
        ("1 in [1,2];", "True"),
        ("1.0 in [1,2];", "True"),
        ("3 in [1,2];", "False"),
        ('"l" in tokens;', "[T]*5 (bools)"),
        ('"x" in tokens;', "[F]*5 (bools)"),
        ('1 in "abc";', "!! type error"),
        ("[1] in [[1]];", "!! type error"),
        ("1 in 1;", "!! type error"),
        ("[];", "[]"),
        ("{};", "{}"),
        ('{"a":1,"b":2,"a":3};', "{'a': 3, 'b': 2}"),
        ("{[1]:2};", "!! type error"),
        ("{indices:2};", "!! type error"),
        ("[x*2 for x in [1,2]];", "[2, 4]"),
        ('[k for k in {"a":1}];', "['a']"),
        ("[a+b for a,b in [[1,2],[3,4]]];", "[3, 7]"),
        ("{k:k+1 for k in [1,2]};", "{1: 2, 2: 3}"),
        ('{k:v for k,v in zip(["a"],[1])};', "{'a': 1}"),
        ("[x for x in 5];", "!! type error"),
        ("[x for x in [1]]; x;", "!! name error"),
        ("range(3);", "[0, 1, 2]"),
        ("range(1,3);", "[1, 2]"),
        ("range(5,0,-2);", "[5, 3, 1]"),
        ("range(1.0);", "!! type error"),
        ("range(1,2,0);", "!! value error"),
        ("range();", "!! type error"),
        ("range(1,2,3,4);", "!! type error"),
        ("range(10^9);", "!! value error"),
        ("range(indices);", "!! type error"),
        ('[x[1] for x in zip([1,2],["a","b"])];', "['a', 'b']"),
        ("zip([1],[1,2]);", "!! type error"),
        ('zip("ab",[1,2]);', "!! type error"),
        ("len([1,2]);", "2"),
        ('len("ab");', "!! type error"),
        ("len(tokens);", "!! type error"),
        ("[1,2,3][-1];", "3"),
        ('"abc"[1];', '"b"'),
        ("[1][1];", "!! lookup error"),
        ("[1][1.0];", "!! type error"),
        ('"abc"[indices%3];', "[a, b, c, a, b] (strings)"),
        ("[1,2.5][indices%2];", "[1, 2.5, 1, 2.5, 1] (floats)"),
        ("[1][indices];", "!! value error"),
        ("[[1]][indices];", "!! type error"),
        ('{"a":1}["a"];', "1"),
        ('{"a":1}["b"];', "!! lookup error"),
        ('{"h":1,"e":2,"l":3,"o":4}[tokens];', "[1, 2, 3, 3, 4] (ints)"),
        ('{"h":1}[tokens];', "!! value error"),
        ('{"h":[1]}[tokens];', "!! type error"),
        ('{"a":{"b":[1,2]}}["a"]["b"][1];', "2"),
        ("tokens[1];", "[e]*5 (strings)"),
        ("tokens[-1];", "[o]*5 (strings)"),
        ("tokens[9];", "[0]*5 (ints)"),
        ("tokens[-9];", "[0]*5 (ints)"),
        ("tokens[indices];", "!! type error"),
        ("tokens[1.0];", "!! type error"),
        ("full_s[1];", "!! type error"),
        ("5[0];", "!! type error"),
        ('indices("abc");', "[0, 1, 2] (ints)"),
        ("indices([1,2]);", "[0, 1] (ints)"),
        ('indices("");', "!! value error"),
        ("indices([]);", "!! value error"),
        ("indices(5);", "!! type error"),
        ("indices([[1]]);", "!! type error"),
        ('indices("a","b");', "!! type error"),
        ('x=indices("abc");', "!! type error"),
        ('indices("abc")+1;', "!! type error"),
        ("def f(x,y) { return x; } f(1);", "!! type error"),
        ("def f(x) { return x; } f(f)(2);", "2"),
        ("5(1);", "!! type error"),
        ("(tokens)[0];", "[h]*5 (strings)"),
        ("l=[1,2]; l[(1)];", "2"),
        ("2^100000;", "!! value error"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert last(text) == expected


def test_selectors_combine_cell_by_cell() -> None:
    text = reply("s=select(indices,0,==); t=select(indices,1,==); (s or t) and not (s and t); examples off\nnot s;")
    assert [line for line in text.splitlines() if line.startswith("     ")] == [
        "     selector: s",
        "     selector: t",
        "     selector: out",
        "     selector: out",
    ]


def test_the_chosen_side_alone_is_evaluated() -> None:
    assert last("def f(n) { return 1 if n==0 else n*f(n-1); } f(5);") == "120"


# -- 4. values and types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tokens_str([1,2.5]);", "[1, 2.5] (strings)"),
        ('tokens_int(["1","22"]);', "[1, 22] (ints)"),
        ("tokens_int([1.9,-1.9]);", "[1, -1] (ints)"),
        ('tokens_int("a");', "!! value error"),
        ('tokens_float(["1",2]);', "[1.0, 2.0] (floats)"),
        ('tokens_bool(["","a",0]);', "[F, T, F] (bools)"),
        ("tokens_asis([1,True]);", "[1, T] (ints)"),
        ('tokens_asis([1,"a"]);', "!! value error"),
        ("set example [3]\ntokens=tokens_int; tokens([1]);", "[1] (ints)"),
        ("tokens=5; tokens;", "5"),
        ("length;", "[5]*5 (ints)"),
        ("tokens_asis([1,2.5]);", "[1, 2.5] (floats)"),
        ("tokens_asis([True,2.5]);", "[T, 2.5] (floats)"),
        ("tokens_asis([1.0,1]);", "[1.0, 1] (floats)"),
        ("tokens_asis([1,1,1]);", "[1]*3 (ints)"),
        ("tokens_asis([1]);", "[1] (ints)"),
    ],
)
def test_values(text: str, expected: str) -> None:
    assert last(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x = (1;", "syntax error"),
        ("foo;", "name error"),
        ("True=1;", "name error"),
        ("max(1);", "type error"),
        ("1+[1];", "type error"),
        ("[1][2];", "lookup error"),
        ('load "no/such/file";', "data error"),
        ("tokens_int;", "value error"),
    ],
)
def test_kinds_of_errors_and_the_session_goes_on(text: str, kind: str) -> None:
    session = Session()
    session.push("x=1;")
    (error,) = session.push(text).errors
    assert error.kind == kind
    assert session.push("x;").text == "    value: x =  1"


# -- 5. select and aggregate


@pytest.mark.parametrize(
    ("op", "rows"),
    [
        ("==", ["1··", "·1·", "··1"]),
        ("<", ["···", "1··", "11·"]),
        (">", ["·11", "··1", "···"]),
        ("<=", ["1··", "11·", "111"]),
        (">=", ["111", "·11", "··1"]),
        ("!=", ["·11", "1·1", "11·"]),
    ],
)
def test_select(op: str, rows: list[str]) -> None:
    text = reply(f'select(indices,indices,{op})("abc");')
    found = ["".join(line.partition("| ")[2][::2]) for line in text.splitlines()[2:]]
    assert found == [row.replace("·", " ") for row in rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aggregate(select(indices,indices,<),indices);", "[0, 0, 0.5, 1.0, 1.5] (floats)"),
        ("aggregate(select(indices,2,==),tokens);", "[l]*5 (strings)"),
        ('aggregate(select(indices,indices-1,==),tokens,"-");', "[-, h, e, l, l] (strings)"),
        ("aggregate(select(indices,indices-1,==),tokens);", "!! value error"),
        ("aggregate(full_s,tokens);", "!! value error"),
        ('aggregate(full_s,tokens=="l");', "!! value error"),
        ("aggregate(full_s,1);", "[1.0]*5 (floats)"),
        ("aggregate(full_s,indices,indices);", "!! type error"),
        ("aggregate(indices,indices);", "!! type error"),
        ("aggregate(full_s,full_s);", "!! type error"),
        ("select(full_s,1,==);", "!! type error"),
        ("select([1],1,==);", "!! type error"),
        ("select(tokens,1,<);", "!! value error"),
        ("selector_width(select(tokens,1,==));", "[0]*5 (ints)"),
        ("aggregate(select(indices,indices,==),indices);", "[0, 1, 2, 3, 4] (ints)"),
        ("aggregate(select(indices,0,==),True,1);", "[T]*5 (bools)"),
    ],
)
def test_aggregate(text: str, expected: str) -> None:
    assert last(text) == expected


# -- 6. functions, scope, library


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1; def f() { return x; } x=2; f();", "2"),
        ("x=1; def f() { x=5; return x; } f(); x;", "1"),
        ("def f() { y=5; return y; } f(); y;", "!! name error"),
        ("def outer(a) { def inner(b) { return a+b; } return inner; } g=outer(1); g(2);", "3"),
        ("def f(g,x) { return g(g(x)); } def inc(x) { return x+1; } f(inc,1);", "3"),
        ("def f(n) { return 0 if n==0 else 1+f(n-1); } f(1000);", "1000"),
        ("def f(n) { return f(n+1); } f(0);", "!! value error"),
        ("def f(length) { return length; } f(3);", "3"),
        ("def f() { max=3; return max; } f();", "3"),
        ("def f(indices) { return 1; }", "!! name error"),
        ("def max(a) { return a; }", "!! name error"),
        ("length=3;", "!! name error"),
        ("for length in [1] { x=1; }", "!! name error"),
        ("[True for True in [1]];", "!! name error"),
        ("def f(x) { return tokens_int+x; } f(1)([1,2]);", "[2, 3] (ints)"),
    ],
)
def test_functions(text: str, expected: str) -> None:
    assert last(text) == expected


WORDS = """True False indices tokens_int tokens_float tokens_bool tokens_str tokens_asis out range zip len get if else
not and or def return for in set show example examples on off load draw selector exit quit round indicator select
aggregate"""
LIBRARY = """full_s length selector_width has_focus count contains max min average load_from_location shift
mark_last_instance mark_first_instance select_from_last select_from_first sort select_next_identical select_best"""
RESERVED = WORDS.split()
AT_THE_CONSOLE = LIBRARY.split()


@pytest.mark.parametrize("name", RESERVED + AT_THE_CONSOLE)
def test_reserved(name: str) -> None:
    assert reply(f"{name}=1;").startswith("!!")


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_everywhere(name: str) -> None:
    assert reply(f"def f({name}) {{ return 1; }}").startswith("!!")


@pytest.mark.parametrize("name", AT_THE_CONSOLE)
def test_library_names_may_be_shadowed(name: str) -> None:
    assert last(f"def f({name}) {{ {name}={name}+1; return {name}; }} f(1);") == "2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selector_width(full_s);", "[5]*5 (ints)"),
        ("selector_width(select(indices,indices,<));", "[0, 1, 2, 3, 4] (ints)"),
        ("has_focus(select(indices,indices,<));", "[F, T, T, T, T] (bools)"),
        ('count(tokens,"l");', "[2]*5 (ints)"),
        ('contains(tokens,"l");', "[T]*5 (bools)"),
        ('contains(tokens,"x");', "[F]*5 (bools)"),
        ("max(1,2);", "2"),
        ("max(1.0,1);", "1"),
        ("min(1,2);", "1"),
        ("min(1.0,1);", "1"),
        ("max(indices,2);", "[2, 2, 2, 3, 4] (ints)"),
        ("min(2,indices);", "[0, 1, 2, 2, 2] (ints)"),
        ("average(indices);", "[2.0]*5 (floats)"),
        ("load_from_location(tokens,1);", "[e]*5 (strings)"),
        ("load_from_location(indices,9);", "[0]*5 (ints)"),
        ("load_from_location(tokens,length-1-indices);", "[o, l, l, e, h] (strings)"),
        ('shift(tokens,1,"-");', "[-, h, e, l, l] (strings)"),
        ('shift(tokens,-2,"-");', "[l, l, o, -, -] (strings)"),
        ('mark_last_instance(tokens,"l");', "[F, F, F, T, F] (bools)"),
        ('mark_first_instance(tokens,"l");', "[F, F, T, F, F] (bools)"),
        ('mark_first_instance(tokens,"x");', "[F]*5 (bools)"),
        ('aggregate(select_from_last(tokens,"l"),indices);', "[3]*5 (ints)"),
        ('aggregate(select_from_first(tokens,"l"),indices);', "[2]*5 (ints)"),
        ('mark_last_instance(tokens,"hexlo"[indices]);', "[T, T, F, T, T] (bools)"),
        ("mark_first_instance(tokens,tokens);", "[T, T, T, F, T] (bools)"),
        ('mark_first_instance(tokens,"hllll"[indices]);', "[T, F, T, F, F] (bools)"),
        ("selector_width(select_from_last(tokens,tokens));", "[4]*5 (ints)"),
        ("aggregate(select_from_first(tokens,tokens),indices);", "[1.75]*5 (floats)"),
        ('count(tokens,"ol"[indices%2]);', "[2]*5 (ints)"),
        ("count(tokens,tokens);", "[5]*5 (ints)"),
        ('contains(tokens,"ol"[indices%2]);', "[T]*5 (bools)"),
        ('contains(tokens,"olohl"[indices]);', "[F]*5 (bools)"),
        ("shift(indices,indices%2,-1);", "[0, -1, 1.5, -1, 3.5] (floats)"),
        ('shift(tokens,-indices,"-");', "!! value error"),
        ('shift(tokens,4-2*indices,"-");', "[o, l, l, e, h] (strings)"),
        ("sort(tokens,tokens);", "[e, h, l, l, o] (strings)"),
        ("sort(tokens,-indices);", "[o, l, l, e, h] (strings)"),
        ("sort(tokens,indices%2);", "[h, l, o, e, l] (strings)"),
        ("aggregate(select_next_identical(tokens),indices,-1);", "[-1, -1, 3, -1, -1] (ints)"),
    ],
)
def test_library(text: str, expected: str) -> None:
    assert last(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # "h" and "o" are in the set of every query but the last, whose set is "o" alone.
        ('contains_any(tokens,["h","o"],[indices<4,True]);', "[2, 2, 2, 2, 1] (ints)"),
        ('contains_any(tokens,["l"],[indices==2]);', "[0, 0, 2, 0, 0] (ints)"),
        ('contains_any(tokens,["l","l"],[True,indices==0]);', "[2]*5 (ints)"),
        ('contains_any(tokens,["x"],[True]);', "[0]*5 (ints)"),
        ("contains_any(tokens,[],[]);", "[0]*5 (ints)"),
    ],
)
def test_members_of_the_set_of_a_query(text: str, expected: str) -> None:
    assert last(f"selector_width({text.rstrip(';')});") == expected


def test_contains_any_may_name_something_else() -> None:
    assert last("contains_any = 3; contains_any + 1;") == "4"
    assert last("def contains_any(a, b) { return a; } contains_any(5, 6);") == "5"


ValueSet = list[int]


def keys_of(seq: ValueSet, val: ValueSet, i: int) -> ValueSet:
    """The positions whose element of seq is val_i."""
    return [k for k, element in enumerate(seq) if element == val[i]]


def last_instances(seq: ValueSet, val: ValueSet) -> list[bool]:
    return [seq[i] == val[i] and not any(k > i for k in keys_of(seq, val, i)) for i in range(len(seq))]


def first_instances(seq: ValueSet, val: ValueSet) -> list[bool]:
    return [seq[i] == val[i] and not any(k < i for k in keys_of(seq, val, i)) for i in range(len(seq))]


def mean_of_marked(marks: list[bool]) -> list[float]:
    places = [place for place, mark in enumerate(marks) if mark]
    return [sum(places) / len(places) if places else -1] * len(marks)


def shifted(seq: ValueSet, n: ValueSet) -> list[float]:
    arriving = [[seq[k] for k in range(len(seq)) if k + n[k] == i] for i in range(len(seq))]
    return [sum(found) / len(found) if found else -1 for found in arriving]


DEFINITIONS: dict[str, Callable[[ValueSet, ValueSet], Sequence[float]]] = {
    "count(a, b)": lambda a, b: [sum(map(eq, a, b))] * len(a),
    "contains(a, b)": lambda a, b: [any(map(eq, a, b))] * len(a),
    "max(a, b)": lambda a, b: list(map(max, a, b)),
    "min(a, b)": lambda a, b: list(map(min, a, b)),
    "average(a)": lambda a, b: [sum(a) / len(a)] * len(a),
    "load_from_location(a, b)": lambda a, b: [a[i] if 0 <= i < len(a) else 0 for i in b],
    "shift(a, b, -1)": shifted,
    "mark_last_instance(a, b)": last_instances,
    "mark_first_instance(a, b)": first_instances,
    "aggregate(select_from_last(a, b), indices, -1)": lambda a, b: mean_of_marked(last_instances(a, b)),
    "aggregate(select_from_first(a, b), indices, -1)": lambda a, b: mean_of_marked(first_instances(a, b)),
    "aggregate(select_from_last(a, 1), indices, -1)": lambda a, b: mean_of_marked(last_instances(a, [1] * len(a))),
    "aggregate(select_from_first(a, 1), indices, -1)": lambda a, b: mean_of_marked(first_instances(a, [1] * len(a))),
    "sort(a, b)": lambda a, b: [element for _, element in sorted(zip(b, a, strict=True), key=itemgetter(0))],
    "aggregate(select_next_identical(a), indices, -1)": lambda a, b: [
        min((k for k in keys_of(a, a, i) if k > i), default=-1) for i in range(len(a))
    ],
}


@pytest.mark.parametrize("text", DEFINITIONS)
def test_the_library_does_what_its_definitions_say(text: str) -> None:
    random = Random(text)
    for length in range(1, 21):
        a, b = (random.choices(range(-1, 4), k=length) for _ in range(2))
        node = parse_program(f"a = {a}[indices]; b = {b}[indices]; x = {text};").sop("x")
        assert run(node, "x" * length) == DEFINITIONS[text](a, b), (a, b)


@pytest.mark.parametrize(
    "signature",
    [
        "selector_width(s)",
        "has_focus(s)",
        "count(seq, atom)",
        "contains(seq, atom)",
        "max(a, b)",
        "min(a, b)",
        "average(seq)",
        "load_from_location(seq, location)",
        "shift(seq, n, filler)",
        "mark_last_instance(seq, val)",
        "mark_first_instance(seq, val)",
        "select_from_last(seq, val)",
        "select_from_first(seq, val)",
        "sort(seq, key)",
        "select_next_identical(seq)",
        "select_best(s, score)",
    ],
)
def test_signatures_of_the_library(signature: str) -> None:
    assert reply(signature.partition("(")[0] + ";") == f"     library function: {signature}"
    assert manual.ENTRIES[signature.partition("(")[0]].usage == signature


# -- 7. printing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("indices/3;", "[0.0, 0.333, 0.667, 1.0, 1.333] (floats)"),
        ("indices*10.0^17;", "[0.0, 1e+17, 2e+17, 3e+17, 4e+17] (floats)"),
        ("1/3;", "0.3333333333333333"),
        ('"a";', '"a"'),
        ('[1,"a",True];', "[1, 'a', True]"),
        ("indices<2;", "[T, T, F, F, F] (bools)"),
        ("0.5 if indices>9 else 0.5;", "[0.5]*5 (floats)"),
        ("aggregate(select(indices,indices,<=) and select(indices,1,<),indices*1.0,0);", "[0.0]*5 (floats)"),
        ("0.0 if indices>1 else 0;", "[0, 0, 0.0, 0.0, 0.0] (floats)"),
        ("True if indices>1 else 1;", "[1, 1, T, T, T] (ints)"),
    ],
)
def test_printed_values(text: str, expected: str) -> None:
    assert last(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('set example [1,"a"]\nindices;', "·····s-op: indices\n·→·Example: indices([1, 'a']) = [0, 1] (ints)"),
        (
            'set example "hey"\ns=select(indices,indices,<);',
            "·····selector: s\n·→·Example:\n·→→→·····h e y\n·→→→·h |······\n·→→→·e | 1····\n·→→→·y | 1 1··",
        ),
        ('select(indices,indices,==)("ab");', "→·=·\n·→→→·····a b\n·→→→·a | 1··\n·→→→·b |···1"),
        ('indices("ab");', "→·=··[0, 1] (ints)"),
        ('d={"a":1};', "·····dict: d = {'a': 1}"),
        ("l=[1,[2]];", "·····list: l =··[\n→→····value:··1\n→→·····list: [2]\n" + " " * 16 + "]"),
        ('d={"a":[1],2:0.5};', '·····dict: d =··{\n→→→·"a" :····list: [1]\n→→→·2 :····value:··0.5\n' + " " * 16 + "}"),
        (
            'd={"a":{"b":[1,[2]],"c":max}};',
            '·····dict: d =··{\n→→→·"a" :····dict:··{\n→→→→→→·"b" :····list:··[\n→→→→→→→→····value:··1\n'
            "→→→→→→→→·····list: [2]\n→→→→→→" + " " * 17 + ']\n→→→→→→·"c" :····library function: max(a, b)\n'
            "→→→" + " " * 17 + "}\n" + " " * 16 + "}",
        ),
        (
            'set example "hi"\nd={"i":indices,"s":full_s};',
            '·····dict: d =··{\n→→→·"i" :····s-op: indices\n→→→·→·Example: indices("hi") = [0, 1] (ints)\n'
            '→→→·"s" :····selector: full_s\n→→→·→·Example:\n→→→·→→→·····h i\n→→→·→→→·h | 1 1\n→→→·→→→·i | 1 1\n'
            + " " * 16
            + "}",
        ),
        (
            "i=indices; l=[i];",
            '·····s-op: i\n·→·Example: i("hello") = [0, 1, 2, 3, 4] (ints)\n·····list: l =··[\n'
            '→→·····s-op: i\n→→·→·Example: i("hello") = [0, 1, 2, 3, 4] (ints)\n' + " " * 16 + "]",
        ),
        (
            "def f(a,b) { return a; } g=f; [f];",
            "·····console function: f(a, b)\n·····console function: g(a, b)\n"
            "·····list: out =··[\n→→·····console function: f(a, b)\n" + " " * 18 + "]",
        ),
        (
            "def f() { def g(x) { return x; } return g; } h=f();",
            "·····console function: f()\n·····console' function: h(x)",
        ),
        ("max;", "·····library function: max(a, b)"),
        (
            'examples off\nindices; full_s; indices("ab");',
            "·····s-op: indices\n·····selector: full_s\n→·=··[0, 1] (ints)",
        ),
        (
            'full seq display on\nset example "hey"\nindices;',
            "·····s-op: indices\n·→·Example:\n·→→input:···h e y·→·(strings)\n·→→output:··0 1 2·→·(ints)",
        ),
        (
            'full seq display on\nset example "hey"\nindices*10;',
            "·····s-op: out\n·→·Example:\n·→→input:····h··e··y·→·(strings)\n·→→output:···0·10·20·→·(ints)",
        ),
        (
            'full seq display on\nset example "hey"\nindices>0; indices<1;',
            "·····s-op: out\n·→·Example:\n·→→input:···h e y·→·(strings)\n·→→output:··F·····→·(bools)\n"
            "·····s-op: out\n·→·Example:\n·→→input:···h e y·→·(strings)\n·→→output:··T·····→·(bools)",
        ),
        ('full seq display on\n(indices>0)("ab");', "→·=\n·→→input:···a b·→·(strings)\n·→→output:··F T·→·(bools)"),
        (
            "full seq display on\nlength;",
            '·····s-op: length\n·→·Example: length("hello") = [5]*5 (ints) [skipped full display: identical values]',
        ),
        ('full seq display on\nlength("ab");', "→·=··[2]*2 (ints) [skipped full display: identical values]"),
        (
            'full seq display on\n(indices/3)("ab");',
            "→·=\n·→→input:··" + " " * 18 + "a" + " " * 18 + "b·→·(strings)\n"
            "·→→output:··" + " " * 15 + "0.0 0.3333333333333333·→·(floats)",
        ),
    ],
)
def test_printing(text: str, expected: str) -> None:
    assert reply(text) == printed(expected)


# -- 8. commands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("show example", '→s-op example: "hello"\n→selector example: "hello"'),
        ("show s-op example", '→s-op example: "hello"'),
        ("show selector example", '→selector example: "hello"'),
        ('set example "ab"\nshow example', '→s-op example: "ab"\n→selector example: "ab"'),
        ('set s-op example "ab"\nshow example', '→s-op example: "ab"\n→selector example: "hello"'),
        ("set selector example [1]\nshow example", '→s-op example: "hello"\n→selector example: [1]'),
        ('x="a";set example x*3\nshow s-op example', '····value: x =··"a"\n→s-op example: "aaa"'),
        (
            'set example ""\nset example []\nset example 5\nshow s-op example',
            '!! value error\n!! value error\n!! type error\n→s-op example: "hello"',
        ),
        (
            "s-op examples off\nindices;full_s;",
            "·····s-op: indices\n·····selector: full_s\n·→·Example:\n"
            "·→→→·····h e l l o\n" + "\n".join(f"·→→→·{c} | 1 1 1 1 1" for c in "hello"),
        ),
        (
            'set example "a"\nselector examples off\nindices;full_s;',
            '·····s-op: indices\n·→·Example: indices("a") = [0] (ints)\n·····selector: full_s',
        ),
        (
            "examples off\nexamples on\nset example [7]\nindices;",
            "·····s-op: indices\n·→·Example: indices([7]) = [0] (ints)",
        ),
        ("examples off\nx=tokens_int;", "!! value error"),
        ("exit\n1;", ""),
        ("quit()\n1;", ""),
    ],
)
def test_commands(text: str, expected: str) -> None:
    assert reply(text) == printed(expected)


@pytest.mark.parametrize("text", ["exit", "exit()", "quit", "quit()", "exit;"])
def test_exit(text: str) -> None:
    assert Session().push(text).ended


def test_selectors_are_tried_on_the_example_of_s_ops() -> None:
    assert reply("set selector example [1]\ns=select(tokens_int,1,==);").startswith("!! value error")


# -- 11 and 12: surprises, and what goes further


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=2; not a==2;", "False"),
        ("0 in [0] and 1;", "!! type error"),
        ("x=1 ; y = 'single';", '"single"'),
        ("x=1;; y=2;", "2"),
        ("def f() { x=1;; return x;; }; f();", "1"),
        ("for i in [1] { x=i; }; x;", "1"),
        ("1e3;", "1000.0"),
        ("1 != 2;", "True"),
        ("indices != 2;", "[T, T, F, T, T] (bools)"),
        ("select (indices, indices, ==)('a');", "| 1"),
        ("a_very_long_name_that_goes_on_and_on_and_on_and_on = 1;", "1"),
        (
            "aggregate(select_best(select(tokens,tokens,==) and select(indices,indices,<), indices), indices, -1);",
            "[-1, -1, -1, 2, -1] (ints)",
        ),
        ("aggregate(select_best(full_s, tokens), indices);", "!! value error"),
        ("aggregate(select_best(full_s, indices%2), indices);", "[2.0]*5 (floats)"),
        ("select_best(indices, indices);", "!! type error"),
        ("select_best(full_s, full_s);", "!! type error"),
    ],
)
def test_further(text: str, expected: str) -> None:
    found = last(text) if "(indices, indices, ==)" not in text else reply(text).splitlines()[-1].strip()[2:]
    assert found == expected


def test_length_and_full_are_the_nodes_of_the_graph() -> None:
    from rasp.graph import full, length

    scope = Session().scope
    assert scope.lookup("length") is length
    assert scope.lookup("full_s") is full


# -- sizes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^60000 > 2^59999;", "True"),
        ("for i in range(60) { l=[i, l] if i else [0]; } l == l;", "True"),
        ("def f() { l=[0]; for i in range(20000) { l=[l]; } return l; } f() == f();", "True"),
        ("def f(n) { return [x for x in (f(n-1) if n>0 else [7])]; } f(1000);", "[7]"),
        ("def f(n) { return [[x(n-1)] for x in [f]][0][0] if n>0 else 7; } f(1000);", "7"),
        ("def f(n) { load_it = n; for i in [n] { r = f(i-1) if i>0 else 7; } return r; } f(1000);", "7"),
    ],
)
def test_large_values(text: str, expected: str) -> None:
    assert last(text) == expected


@pytest.mark.parametrize(
    "text", ["l=[0]; for i in range(60) { l=[l,l]; } l;", "l=[0]*1000000; for i in [1] { m=[l]*1000000; } m;"]
)
def test_what_is_too_large_to_print(text: str) -> None:
    (error,) = Session().push(text).errors
    assert "elements of lists made, copied, compared or shown" in error.message


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        ("length", [1]),
        ("has_focus(full_s)", [1]),
        ("count(tokens, 'a')", [1]),
        ("contains(tokens, 'a')", [1]),
        ("average(indices)", [1]),
        ("max(indices, 2)", []),
        ("load_from_location(tokens, 1)", [1]),
        ("shift(tokens, 1, '-')", [1]),
        ("mark_last_instance(tokens, 'a')", [1]),
        ("mark_first_instance(tokens, 'a')", [1]),
        ("aggregate(select_from_last(tokens, 'a'), indices)", [1]),
        ("aggregate(select_from_first(tokens, tokens), indices)", [1, 1]),
        ("average(indices) + indicator(contains(tokens, 'a')) + indicator(contains(tokens, 'b'))", [1]),
        ("aggregate(select_next_identical(tokens), indices)", [1]),
        ("sort(tokens, tokens)", [1, 1]),
        ("tokens[2]", [1]),
        ("tokens[-1]", [1, 1]),
        ("'a' in tokens", [1]),
    ],
)
def test_heads_of_the_library(text: str, heads: list[int]) -> None:
    assert analyse([parse_program(f"x = {text};").sop("x")]).heads == heads
