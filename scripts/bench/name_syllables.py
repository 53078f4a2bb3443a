"""Invented names from syllables, in four ways of writing, and how each is written in Latin letters: nobody real."""

from __future__ import annotations

import random
import re
from typing import Final

Spelling = dict[str, str]


def _pairs(table: str) -> Spelling:
    """Return sign -> letters of a table "sign and letters, a blank, ..."."""
    return {pair[0]: pair[1:] for pair in table.split()}


CYRILLIC_A: Final[Spelling] = _pairs(
    "аa бb вv гg дd еe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ыy эe юyu яya"
)
CYRILLIC_B: Final[Spelling] = {
    **CYRILLIC_A,
    "в": "w",
    "ж": "j",
    "й": "j",
    "х": "ch",
    "ц": "z",
    "ч": "tsch",
    "ш": "sch",
    "ю": "ju",
    "я": "ja",
}
CYRILLIC_C: Final[Spelling] = {
    **CYRILLIC_A,
    "ж": "j",
    "й": "i",
    "х": "h",
    "ц": "c",
    "щ": "sch",
    "ю": "iu",
    "я": "ia",
    "ы": "i",
}
HAN: Final[Spelling] = _pairs(
    """
    王wang 李li 张zhang 刘liu 陈chen 杨yang 赵zhao 黄huang 周zhou 吴wu 徐xu 孙sun
    胡hu 朱zhu 高gao 林lin 何he 郭guo 马ma 罗luo 梁liang 宋song 郑zheng 谢xie
    韩han 唐tang 冯feng 于yu 董dong 萧xiao 明ming 伟wei 芳fang 娜na 敏min 静jing
    强qiang 磊lei 洋yang 艳yan 勇yong 军jun 杰jie 娟juan 涛tao 超chao 霞xia 平ping
    刚gang 桂gui 英ying 华hua 玉yu 兰lan 飞fei 鹏peng 建jian 国guo 志zhi 宏hong
    天tian 海hai 东dong 龙long 金jin 星xing 光guang 泰tai 瑞rui 盛sheng
    """
)
HAN_TRADES: Final = {
    "贸易": "Trading",
    "科技": "Technology",
    "电子": "Electronics",
    "物流": "Logistics",
    "工业": "Industry",
}
_ARABIC: Final[Spelling] = _pairs("bب tت hح jج dد rر zز sس fف kك lل mم nن wو yي qق gغ xخ")
_ONSETS: Final = re.findall(r"\w+", "b br c ch d dr f g gr h j k kl l m n p pr r s st t th tr v w z")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_CODAS: Final = ["", "", "", "n", "r", "l", "s", "nd", "rt", "m", "ck"]
GENERIC: Final = {
    "Trading": ["Trade", "Trdg"],
    "International": ["Intl", "Int'l"],
    "Technologies": ["Technology", "Tech"],
    "Engineering": ["Eng", "Engg"],
    "Industries": ["Industry", "Ind"],
    "Shipping": ["Shipping"],
    "Logistics": ["Logistic"],
    "Electronics": ["Electronic"],
    "Services": ["Service", "Svcs"],
    "Research": ["Research"],
    "Institute": ["Inst"],
    "Manufacturing": ["Mfg"],
    "Group": ["Grp", "Holding"],
    "Systems": ["System"],
    "Consulting": ["Consultants"],
    "Energy": ["Energie"],
    "Development": ["Dev"],
    "Center": ["Centre", "Ctr"],
}
LEGAL: Final = [
    "Ltd",
    "Limited",
    "LLC",
    "Inc.",
    "Corp.",
    "GmbH",
    "AG",
    "S.A.",
    "B.V.",
    "OOO",
    "FZE",
    "Pte. Ltd.",
    "Sdn Bhd",
    "Co., Ltd.",
    "JSC",
    "Limited Liability Company",
]
STREETS: Final = {"Street": "St.", "Road": "Rd", "Avenue": "Ave.", "Boulevard": "Blvd", "Lane": "Ln", "Drive": "Dr."}


class Maker:
    """Makes names; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.given = [self.word(2) for _ in range(600)]
        self.cyrillic_given = [self.cyrillic(2) for _ in range(300)]
        self.arabic_given = [self.arabic() for _ in range(300)]
        self.towns = [self.word(2) for _ in range(1500)]

    def often(self, names: list[str]) -> str:
        """Return one of the names; the first ones often, as first names are."""
        return names[int(len(names) * self.random.random() ** 2)]

    def word(self, syllables: int) -> str:
        pick = self.random.choice
        return "".join(
            pick(_ONSETS) + pick(_VOWELS) + (pick(_CODAS) if i == syllables - 1 else "") for i in range(syllables)
        ).capitalize()

    def cyrillic(self, syllables: int) -> str:
        pick = self.random.choice
        return "".join(pick("бвгджзклмнпрстфхцчшщ") + pick("аеиоуыюя") for _ in range(syllables)) + pick("нврлмкй")

    def arabic(self) -> str:
        """Return Latin letters with short vowels; `arabic_script` drops them."""
        pick = self.random.choice
        return "".join(pick("bthjdrzsfklmnqgx") + pick("aiu") for _ in range(2)) + pick("bdrslmn")

    def person(self) -> tuple[str, str, str]:
        """Return flavour, first names, family name, in their own script (Arabic: vowelled Latin)."""
        flavour = self.random.choices(("latin", "cyrillic", "arabic", "han"), (7, 4, 3, 1))[0]
        if flavour == "cyrillic":
            family = self.cyrillic(2) + self.random.choice(("ов", "ев", "ин", "ский", "енко"))
            patron = self.often(self.cyrillic_given) + "ович"
            return flavour, f"{self.often(self.cyrillic_given).capitalize()} {patron.capitalize()}", family.capitalize()
        if flavour == "arabic":
            return (
                flavour,
                f"{self.often(self.arabic_given)} {self.often(self.arabic_given)}",
                self.arabic() + self.random.choice(("i", "")),
            )
        if flavour == "han":
            signs = list(HAN)
            return flavour, "".join(self.random.choices(signs, k=2)), self.random.choice(signs[:30])
        first = self.often(self.given)
        if self.random.random() < 0.4:
            first += f" {self.often(self.given)}"
        return flavour, first, self.word(self.random.choice((2, 3)))

    def organisation(self) -> tuple[list[str], list[str], str]:
        """Return own words, generic words and legal form."""
        own = [self.word(self.random.choice((2, 2, 3))) for _ in range(self.random.choice((1, 1, 2)))]
        if len(own) == 1 and len(own[0]) < 7:
            own[0] += self.word(1).lower()
        return own, self.random.sample(list(GENERIC), self.random.choice((1, 2, 2, 3))), self.random.choice(LEGAL)

    def address(self) -> tuple[int, str, str, str, str]:
        """Return number, street, its kind, postcode and town."""
        return (
            self.random.randint(1, 400),
            self.word(self.random.choice((2, 3))),
            self.random.choice(list(STREETS)),
            f"{self.random.randint(10000, 999999)}",
            self.often(self.towns),
        )

    def misspelt(self, text: str, edits: int = 1) -> str:
        """Return a text with so many letters dropped, doubled, swapped or changed, in words of five or more."""
        words = text.split(" ")
        long = [place for place, word in enumerate(words) if sum(map(str.isalpha, word)) >= 5]
        for place in self.random.sample(long, min(edits, len(long))):
            word = words[place]
            at = self.random.randrange(1, len(word) - 1)
            words[place] = self.random.choice(
                (
                    word[:at] + word[at + 1 :],
                    word[:at] + word[at] + word[at:],
                    word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                    word[:at] + self.random.choice("aeiourstln") + word[at + 1 :],
                )
            )
        return " ".join(words)


def spelled(text: str, table: Spelling) -> str:
    """Return a text by a table of letters, words capitalised."""
    return " ".join(
        "".join(table.get(letter, letter) for letter in word.lower()).capitalize() for word in text.split(" ")
    )


def arabic_script(text: str) -> str:
    """Return vowelled Latin letters as Arabic writes them: consonants, and long vowels at the end."""
    return " ".join(
        "".join(_ARABIC.get(letter, "") for letter in word) + {"i": "ي", "u": "و", "a": "ا"}.get(word[-1], "")
        for word in text.lower().split(" ")
    )


def _arabic_other(text: str) -> str:
    return text.replace("u", "ou").replace("q", "k").replace("x", "kh").replace("i", "e").title()


def pinyin(signs: str, *, together: bool) -> str:
    parts = [HAN[sign] for sign in signs]
    return "".join(parts).capitalize() if together else " ".join(part.capitalize() for part in parts)


def person_spellings(flavour: str, first: str, family: str) -> tuple[str, str, str]:
    """Return a person's name in its own script, in Latin letters, and in Latin letters by another table."""
    if flavour == "cyrillic":
        whole = f"{first} {family}"
        return whole, spelled(whole, CYRILLIC_A), ""
    if flavour == "arabic":
        whole = f"{first} {family}"
        return arabic_script(whole), whole.replace("x", "kh").title(), _arabic_other(whole)
    if flavour == "han":
        return (
            family + first,
            f"{pinyin(family, together=True)} {pinyin(first, together=True)}",
            f"{pinyin(first, together=False)} {pinyin(family, together=True).upper()}",
        )
    return f"{first} {family}", f"{first} {family}", ""
