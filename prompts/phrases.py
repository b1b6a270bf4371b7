"""The phrases by which a rewrite gives itself away, as regular expressions for `prompts.filters`.

Each is narrow on purpose: people do write "Here is a list", "I'm sorry I'm late", "Note:" and "Instruction:" in
prompts. The text must be in lower case, its apostrophes straight.
"""

from __future__ import annotations

import re

START = r"\A[\W_]{0,20}"
LINE = r"^[^\w\n]{0,20}"

# What a rewriter calls its own work: "rewritten", "more complex", "slightly harder and deeper" ...
_COMPARED = r"(?:(?:more|slightly|somewhat|much|even|bit)(?: more)?(?: \w+)?)"
_REWRITTEN = (
    r"(?:re-?written|rewrit\w+|rephrased|reworded|revised|modified|updated|improved|enhanced|expanded|refined|evolved"
    rf"|adapted|new|brand[- ]new|newly|created|original|initial|{_COMPARED})"
)
_OF_ANY_KIND = (
    rf"(?:{_REWRITTEN}|given|final|complex|complicated|challenging|difficult|detailed|specific|concrete|deeper|harder"
    r"|self-contained|in-depth|in-breadth)"
)
_MADE = rf"(?:{_OF_ANY_KIND}(?: and |, | ))"
_MADE_ANEW = rf"(?:{_MADE}{{0,3}}{_REWRITTEN}(?: and |, | ){_MADE}{{0,2}})"
_ASKED = r"(?:prompt|instruction|question|request|query|task)s?"
_PROMPT = rf"(?:{_MADE}{{0,2}}(?:prompt|instruction|question))"
_COLON = r"(?: \([^)\n]*\))?[*_#\"`]*(?: ?[:：]| [—–-] )"


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.MULTILINE)


NOUNS = ("prompt", "question", "instruction", "task", "request")
# No pattern that is sought everywhere matches a text without one of these.
NEEDED = (*NOUNS, "rewrit", "revised", " word", "this version", "let me know", "hope this", "<|", "[/", "_of_turn")

LABELS = _any(
    # anywhere: {Rewritten Prompt}, #The Given Prompt#, <new prompt>
    rf"[#{{<\[]{{1,5}} ?(?:the )?{_MADE}{{1,3}}(?:prompt|instruction)s? ?[#}}>\]]",
    r"</?(?:rewr\w*|(?:(?:new|evolved|revised|given|original|final|output)[ _-]?)?prompt)>",
    # a chat template's own marks
    r"<\|\w+\|>|\[/inst\]|<(?:start|end)_of_turn>",
    # a line of its own or the head of one: "**New Prompt:** ...", "## Rewritten prompt"
    rf"{LINE}(?:the |your )?{_MADE}{{1,3}}prompts?(?: with [^:\n]{{1,60}})?(?:{_COLON}|[*_#]*$)",
)

OPENING_LABELS = _any(
    # "Revised question:", "A more complex version:", "Prompt:"
    rf"{START}(?:the |your |a )?{_MADE_ANEW}(?:{_ASKED}|version|rewrite){_COLON}",
    rf"{START}(?:(?:(?:output |final |your |the )?prompt|rewritten){_COLON}|rewrite{_COLON}[*_ ]*\n)",
    r"\A[\W_]{0,20}(?:改写|重写|修改|新)(?:后)?的?(?:提示词?|指令|问题|题目) ?[:：]",
    rf"{START}(?:(?:nuev[oa]|nouveau|nouvelle|neue[rs]?|umgeschriebener?) (?:prompt|instrucción|consigne|aufgabe)"
    rf"|(?:prompt|instrucción|consigne) (?:reescrit[oa]|réécrite?)|новый промпт|промпт){_COLON}",
)

_YES = r"(?:sure(?: thing)?|certainly|of course|absolutely|got it|no problem|understood)"
_THEN = (
    r"(?:here|let me|let's|i(?:'ll| will|'ve| have| can| would)\b|below|this is|the following|happy to|as requested)"
)
_HERE = r"(?:here(?:'s| is| are)|below (?:is|are)|this is|the following is)(?: my| your| an?| the| one)?(?: possible)?"

INTRODUCTIONS = _any(
    # "Sure! ...", "Certainly: ...", "Okay, here's ...", "Of course, I'll ..."
    rf"{START}{_YES}(?:[!.]+(?:\s|\Z)| ?[:—–]\s)",
    r"\A[\W_]{0,20}(?:okay|ok|alright|great|perfect)!+(?:\s|\Z)",
    rf"{START}(?:{_YES}|okay|ok|alright|great) ?[,.:;!—–-]+ {_THEN}",
    r"\A[\W_]{0,20}here (?:you go|it is|we go) ?[:!.]",
    rf"{START}i(?:'d| would) (?:be )?(?:happy|glad|love|pleased) to(?: help| assist| rewrite| do (?:so|that))?[.!,:]",
    rf"{START}how about (?:this|the following)(?: one)?:",
    rf"{START}to (?:increase|raise) (?:the |its )?(?:complexity|difficulty)[^.\n]{{0,40}}, (?:i|let's|we)\b",
    rf"{START}thank you for (?:the|your|this|sharing) (?:the |your )?(?:prompt|question|request|instruction)",
    # "Following your rules, here is my rewrite"; "Here is one way to make it harder"
    rf"{START}(?:[^.:\n]{{1,60}}, )?(?:here|below)(?:'s| is)[^.:\n]{{1,60}}?\b(?:prompt|rewrite|rewritten|rephrased)\b",
    rf"{START}here(?:'s| is) (?:a|one|another) (?:possible )?way (?:to|of) (?:mak|rewrit|rephras|complicat)\w+"
    rf" (?:it|this|the {_PROMPT})\b",
    # "Here's a slightly more complex version:"; but "Here is a revised version of my letter" is a prompt
    rf"{START}{_HERE} {_MADE}{{1,5}}(?:{_ASKED}|rewrite"
    rf"|(?:version|variation)(?! of (?!(?:the|your|this|that) (?:{_PROMPT}|request))))\b",
    rf"{START}here(?:'s| is) (?:the|your|a|my) (?:rewriting|version of (?:the|your|this|that) {_PROMPT})\b",
    # "The rewritten prompt is as follows:", "A more complex version would be"
    rf"{START}(?:the |my |your |a )?{_MADE_ANEW}(?:{_ASKED}|version) (?:is|would be|could be|might be|reads|goes)\b"
    r"[^\n]{0,30}(?::|\n)",
    rf"{START}(?:the following {_MADE}{{0,3}}(?:prompt|version|rewrite)|(?:a|one) (?:possible )?rewrit\w+) (?:is|asks"
    rf"|adds|of (?:the|this|your) {_PROMPT})\b",
    # "I have rewritten the prompt", "Let me rephrase this question", "To make the prompt harder"
    rf"{START}(?:i(?:'ve|'ll| have| will| would| can)?(?: now)?|let me)"
    rf" (?:rewrit\w+|rewrote|rephrased?|made|make|created?) (?:the|your|this|a) {_PROMPT}\b",
    rf"{START}(?:as an? (?:ai )?prompt (?:re)?writer|to (?:make|rewrite|complicate) (?:the|this) (?:given )?prompt)\b",
)

# Counts only where the parent does not speak of a prompt: "Let's make this prompt harder:", "Your prompt, revised:"
OPENING_ABOUT_PROMPT = _any(
    rf"{START}[^:\n]{{0,80}}?\b(?:(?:rewr|rephras|mak|revis|modif|improv|complicat|enhanc)\w* (?:this|the|your) prompt"
    r"|version of (?:this|the|your) prompt|your prompt)\b",
)

_CANNOT = r"(?:can't|cannot|can not|won't|will not|(?:am|'m) (?:unable|not able)(?: to)?|(?:am|'m) not comfortable)"
_ASSIST = (
    r"(?:assist|help(?: you)?(?: with)?|fulfil+|comply|rewrite|provide|create|generate|write|do (?:that|this)|answer"
    r"|continue|complete|support|engage|produce|respond|participate|offer|share|discuss|process)"
)
_SUCH = (
    r"(?:this|that|such|any|content|harmful|explicit|instructions|guidance|advice|assistance"
    r"|a (?:prompt|rewrite|rewritten|response))"
)

REFUSALS = _any(
    # "I'm sorry, but I can't help with that"; but "Sorry, I can't complete my form" is a prompt
    rf"{START}(?:(?:i'm|i am) (?:\w+ )?sorry|sorry|i apologi[sz]e|(?:my )?apologies|unfortunately"
    r"|i'm afraid)\b[^.!?\n]{0,40}?"
    rf"\bi ?{_CANNOT} (?:\w+ )?{_ASSIST}\b(?! (?:my|the|on|out)\b)",
    rf"{START}(?:\w+, )?i ?{_CANNOT} (?:\w+ )?(?:assist(?: you)? (?:with|in)\b"
    r"|help(?: you)? with (?:this|that|such|your|\w+ing)\b|fulfil|comply|satisfy your|engage (?:in|with)\b"
    r"|rewrite (?:this|that|the|a|your)\b"
    rf"|(?:provide|create|generate|write|engage in|support|promote|produce) {_SUCH}\b)",
    # "As an AI language model, I don't ..."
    rf"{START}(?:as|being) an? (?:\w+ )?(?:ai|artificial intelligence|language model)(?: \w+)?(?: model)?, i ?"
    rf"(?:{_CANNOT}|do not|don't|am not|'m not)\b(?! sure)",
    rf"{START}(?:i can't [^.\n]{{0,40}})?i(?:'m| am) (?:just |only |merely )?an? (?:large )?(?:ai|language model)\b",
    # it asks for the prompt instead
    rf"{START}(?:please|could you|can you)(?: please)? (?:provide|share|give|send|paste)(?: me)?(?: with)?"
    r" (?:the|a|your) (?:prompt|question|instruction)(?: (?:you|that you|to (?:be )?rewrit|so|and i)|[.!?])",
    rf"{START}(?:i (?:don't|do not|can't|cannot) (?:see|find)|there is|you (?:haven't|have not) (?:given|provided))"
    r"(?: me)? (?:no|a|any|the) prompt\b",
    rf"{START}i ?{_CANNOT} answer (?:this|that|your) (?:question|request|prompt)[.!]",
    rf"{START}(?:this|the|your) (?:request|prompt|question|content) (?:violates|goes against|is against|is harmful"
    r"|is inappropriate)\b",
    rf"{START}i (?:must|have to|need to|will have to) (?:\w+ )?(?:decline|refuse)\b",
    rf"{START}(?:it (?:is not|would not be|isn't|is in|would be in) ?appropriate (?:for me )?to"
    r"|i (?:do not|don't) feel comfortable \w+ing (?:this|that|such|a)\b)",
    rf"{START}(?:lo siento|lamento|(?:je suis )?désolée?|es tut mir leid|mi dispiace|desculpe|sinto muito|извините"
    r"|простите)\b[^.!?\n]{0,60}?\b(?:no puedo|je ne peux pas|kann ich|ich kann|non posso|não posso|не могу)\b",
    r"\A[\W_]{0,20}(?:很抱歉|抱歉|对不起|對不起)[^。\n]{0,20}?(?:无法|不能|無法)",
    r"\A[\W_]{0,20}申し訳(?:ありません|ございません)",
)

_EARLIER = (
    r"(?:given|original|above|previous|initial|preceding|prior|aforementioned|earlier|provided|rewritten|source"
    r"|created)"
)

REFERENCES = _any(
    rf"\b{_EARLIER}[\W_]{{1,3}}prompts?\b",
    r"(?<!at )\b(?:the|this) (?:new )?prompt(?= (?:is|was|that|must|asks|asked|itself|requires|presents|stands|does|has"
    r"|into|but|needs)\b)",
    r"\bprompts? (?:above|(?:given|provided|shown|mentioned)(?: above| earlier| before| here)?"
    r"|you were (?:given|shown))\b",
    r"\b(?:alternative|answer|response|complexity|requirements?|constraints?|mention|task|rewrite) (?:to|of|for) the"
    r" prompt\b",
    r"\b(?:original|aforementioned|rewritten) (?:question|instruction)s?\b",
    r"\b(?:in addition to|beyond|unlike|besides|compared (?:to|with)|based on|than) the (?:given|previous|initial)"
    r" (?:question|instruction|request|task)\b",
)

_DOES = r"(?:adds?|asks?|requires?|makes?|introduces?|includes?|increases?|encourages?|challenges?)"

COMMENTARY = _any(
    # "This rewritten prompt adds ...", "The revised version asks ..."
    rf"\b(?:this {_MADE}{{0,3}}|(?:the|my) {_MADE}{{1,3}})(?:prompt|rewrite|rewriting) (?:now )?(?:is|has|uses|keeps?"
    rf"|remains|maintains|{_DOES})\b",
    rf"\b(?:this|the|my) (?:rewritten|revised) (?:version|instruction|question) (?:now )?{_DOES}\b",
    r"\b(?:added|made|changed|increased)\b[^.\n]{0,40}\bto the prompt\b",
    rf"\bthis version {_DOES}[^.\n]{{0,60}}"
    r"\b(?:difficult\w*|complex\w*|challeng\w*|constraints?|requirements?|depth)\b",
    r"\bin this rewrit\w+\b",
    # closing words, on the last line
    rf"{LINE}(?:let me know if you(?:'d| would) like (?:me to|any|further|another|more)"
    r"|(?:i )?hope this (?:helps|meets))(?=[^\n]*\Z)",
    # "Note: I added ...", "Explanation: the rewritten prompt ..."
    rf"{LINE}(?:note|explanation|rationale|changes(?: made)?)\b[^\n]{{0,20}}"
    rf"\b(?:i|i've|(?:the|this) (?:{_MADE}{{0,2}}prompt|rewrite|rewriting)) [^\n]{{0,60}}"
    r"\b(?:prompt|rewrite|rewrote|rewritten|added|complexity)\b",
    r"\bi(?:'ve| have)? (?:rewr\w+|added|made|modified|increased|changed|expanded|introduced|kept)\b[^.\n]{0,60}"
    r"\b(?:prompt|rewrite|complexity of)\b",
    r"\((?:added|adds|\+)? ?\d+ (?:new |more |extra |additional )?words(?: added)?\)|\bword count (?:added|increase)",
)


# Words that carry a sentence's grammar or the form of a request rather than what it is about.
FUNCTION_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how i
    if in into is it its itself just me more most my myself no nor not of off on once only or other our out over own
    same she should so some such than that the their them then there these they this those through to too under
    until up very
    was we were what when where which while who whom whose why will with would you your yours must may might shall let
    please write give tell explain describe make need want like help provide create generate list show find know think
    following given answer question prompt task instruction using use get one s t d m re ve ll""".split()
)

# Verbs with which a request opens; "_" is a space. Ambiguous ones (play, run) are left out.
_ASKING = "|".join(
    verb.replace("_", " ")
    for verb in """act_as add analy[sz]e answer argue arrange ask assess assign assume brainstorm break_down
    build calculate categori[sz]e change check choose cite clarify classify combine come_up compare complete
    compose compute conduct consider construct continue contrast convert correct count craft create debug decide
    define demonstrate derive describe design detect determine develop devise differentiate discuss distinguish
    divide do download draft draw edit elaborate enumerate estimate evaluate examine expand explain explore
    extract figure_out fill find fix follow format formulate generate give go_through grade group guess help
    highlight identify illustrate imagine implement improve include infer interpret invent investigate justify
    label link list look_(?:at|up) make match mention modify multiply name offer open order organi[sz]e outline
    output paraphrase parse perform pick plan point_out predict prepare present pretend produce propose prove
    provide rank rate re-?arrange read recogni[sz]e recommend record refactor rephrase replace reply research
    respond return review rewrite say select share show simplify sketch solve sort specify split state study
    subtract suggest summari[sz]e synthesi[sz]e take talk_about teach tell thank think_(?:of|about|up) transform
    translate try turn understand use using verify write""".split()
)

# What makes a text a request: a question's form, an order at the head of a sentence, a wish.
REQUESTS = _any(
    r"[?？؟]",
    # at the head, after the first comma ("In C++, write ..."), after "then"; not at later commas or after "and", where
    # statements have their verbs and nouns like "research"
    r"(?:(?:^|[.!:;\n])(?:[^.!?:;,\n]{0,100},)?|\b(?:then|also|step \d+)\b)[\W_\d]{0,12}"
    r"(?:(?:please|first|next|finally|now|then|also|let's|kindly|step \d+),?:? ?)*"
    rf"(?:\w+ly )?(?:{_ASKING})\b",
    r"\b(?:please|(?:can|could|would|will) you|i(?:'d| would) like|i (?:need|want|wish)|help me"
    r"|your (?:task|job|goal) is|tell me|show me|give me|let me know|in this task|this task is|task definition"
    r"|you(?: are|'re| will be) given|you are expected to|you need to)\b",
    r"^[\W_]{0,12}(?:q|input|problem|question):|^[\W_]{0,12}(?:a|answer|solution):[\W_]*\Z",
    r"^[\W_]{0,12}(?:you (?:are|will be|have|must|should|need to)|given|suppose|if|let|let's|lets|i have"
    r"|i'm (?:going|thinking|trying|looking)|need to)\b",
    r"^[\W_]{0,12}(?:what|which|who|whom|whose|where|when|why|how|is|are|was|were|do|does|did|can|could|should"
    r"|would|will|has|have|had|in what|in which|to what|at what|for what)\b",
)

# Whoever writes so offers help, and asks for none.
OFFERS = _any(
    r"\b(?:i'm|i am|i will be|i'll be|i'd be|i would be) (?:\w+ )?(?:here|ready|happy|glad|excited|designed) to"
    r" (?:help|assist|guide|answer|offer|provide)\b",
    r"\b(?:how|what) (?:can|may) i (?:help|assist|do for) you\b|\bwhat can i assist\b",
    r"\bwhat would you like (?:me )?to (?:discuss|know|ask|explore|talk about|learn)\b",
)

# The head of an answer: "To do so, you need to ...", "You can use ...".
ADVICE = _any(
    r"\A[\W_]{0,12}to [^.!?:;\n]{3,120}, (?:you|one|we) (?:need|must|should|can|may|will|have to)\b",
    r"\A[\W_]{0,12}you (?:can|could|may) (?:use|try|get|find|create|make)\b",
)
