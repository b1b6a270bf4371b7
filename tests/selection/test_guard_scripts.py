"""The guard in scripts without spaces, and in those whose vowels are marks."""

from __future__ import annotations

import pytest

from prompts.likeness import nearly_same, numbers, words
from selection import near_identical

CHINESE = (
    "巴黎是法国的首都，也是该国最大的城市，人口约有210万。"
    "这座城市位于塞纳河畔，以埃菲尔铁塔、卢浮宫和巴黎圣母院闻名于世，每年吸引数千万名游客前来参观。"
)
JAPANESE = (
    "パリはフランスの首都であり、人口は約210万人です。"
    "セーヌ川のほとりにあり、エッフェル塔やルーブル美術館で知られ、毎年多くの観光客が訪れます。"
)
THAI = "ปารีสเป็นเมืองหลวงของประเทศฝรั่งเศส มีประชากรประมาณ 210 หมื่นคน ตั้งอยู่ริมแม่น้ำแซน และมีชื่อเสียงจากหอไอเฟลกับพิพิธภัณฑ์ลูฟวร์"
KOREAN = (
    "파리는 프랑스의 수도이며 인구는 약 210만 명입니다. 센강 변에 있고 에펠탑과 루브르 박물관으로 잘 알려져 있으며 "
    "해마다 수천만 명의 관광객이 찾아옵니다. 도시의 역사는 로마 시대로 거슬러 올라가고 "
    "오늘날에는 유럽의 문화와 경제의 중심지입니다."
)
HINDI = (
    "पेरिस फ्रांस की राजधानी है और इसकी आबादी लगभग 210 हज़ार है। "
    "यह सीन नदी के किनारे बसा है और एफिल टावर तथा लूव्र "
    "संग्रहालय के लिए जाना "
    "जाता है। हर साल करोड़ों पर्यटक यहाँ आते हैं और शहर की गलियों में घूमते हैं।"
)


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        (CHINESE, CHINESE.replace("闻名于世", "闻名天下")),
        (CHINESE, CHINESE.replace("。", "！")),
        (CHINESE, CHINESE.replace("约有210万", "有210万")),
        (JAPANESE, JAPANESE.replace("多くの", "多数の")),
        (THAI, THAI.replace("กับ", "และ")),
        (THAI, THAI.replace(" ", "")),
        (KOREAN, KOREAN.replace("해마다", "매년")),
        (HINDI, HINDI.replace("हर साल", "हर वर्ष")),
    ],
)
def test_a_touch_leaves_a_near_copy(text: str, touched: str) -> None:
    assert near_identical(text, touched)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (CHINESE, CHINESE.replace("210", "310")),
        (CHINESE, CHINESE[: len(CHINESE) // 2]),
        (
            CHINESE,
            "柏林是德国的首都，人口约有370万，施普雷河穿城而过，勃兰登堡门是这座城市最著名的地标，冷战时期曾被柏林墙一分为二。",
        ),
        (JAPANESE, JAPANESE.replace("210", "310")),
        (
            JAPANESE,
            "ベルリンはドイツの首都で、ブランデンブルク門と博物館島で有名です。冬はとても寒く、夏は公園が人でにぎわいます。",
        ),
        (THAI, THAI.replace("210", "310")),
        (THAI, "กรุงเบอร์ลินเป็นเมืองใหญ่ที่สุดของเยอรมนี ฤดูหนาวอากาศเย็นจัดและมีหิมะตก ผู้คนนิยมเดินเล่นในสวนสาธารณะช่วงฤดูร้อน"),
        (
            KOREAN,
            "베를린은 독일의 수도이고 브란덴부르크 문으로 유명합니다. 겨울은 춥고 여름에는 공원이 사람들로 붐빕니다.",
        ),
        (HINDI, "बर्लिन जर्मनी की राजधानी है। यहाँ सर्दियों में बहुत ठंड पड़ती है और लोग गर्मियों में पार्कों में समय बिताते हैं।"),
    ],
)
def test_other_content_is_another_answer(text: str, other: str) -> None:
    assert not near_identical(text, other)


def test_a_sign_of_vowel_or_tone_is_part_of_its_letter() -> None:
    """มา comes, ม้า is a horse; की is of, के too, but of another gender: other words, not the same consonants."""
    assert words("มา") != words("ม้า")
    assert words("की") != words("के")
    assert len(words("हिन्दी")) == 1
    assert words("e\u0301te\u0301") == ["e\u0301te\u0301"]
    assert not near_identical("ไก่", "ไข่")
    assert not near_identical("ดี", "ดู")


def test_words_of_scripts_without_spaces_are_characters_with_their_marks() -> None:
    assert words("苹果有5个") == ["苹", "果", "有", "5", "个"]
    assert words("ม้าดี") == ["ม้", "า", "ดี"]
    assert words("𠮷野家") == ["𠮷", "野", "家"]
    assert words("ｶﾅ") == ["ｶ", "ﾅ"]
    assert words("파리는 수도") == ["파리는", "수도"]
    assert words("C++ und C#, straße_2") == ["c++", "und", "c#", "strasse", "2"]


def test_numbers_stand_alone_in_a_sentence_without_spaces() -> None:
    assert numbers("气温是-5度，不是5度") == ["-5", "5"]
    assert numbers("x2 − 3 of −4") == ["x2", "3", "-4"]


def test_a_rewrite_in_chinese_or_thai_that_is_a_near_copy() -> None:
    assert nearly_same(words(CHINESE), words(CHINESE.replace("约有", "大约有")))
    assert nearly_same(words(THAI), words(THAI.replace("กับ", "และ"))) is False  # two letters of three, in order
    assert not nearly_same(words(CHINESE), words(CHINESE[:30]))
