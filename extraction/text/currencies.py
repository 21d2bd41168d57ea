"""Currencies as news writes them, with their ISO 4217 codes.

A sign or a name that countries share stands for one of them only where news in English uses it so without saying more
("$", "£", "Rs"); "francs" and "pesos" alone have no code.
"""

from __future__ import annotations

from collections.abc import Sequence

# by code: what stands before or after the digits, in the case in which it is written
_SIGNS: dict[str, str] = {
    **{"USD": "$ US$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "RMB", "INR": "₹ ₨ Rs Rs.", "CHF": "SFr"},
    **{"CAD": "C$ CA$ Can$", "AUD": "A$ AU$", "NZD": "NZ$", "HKD": "HK$", "SGD": "S$", "TWD": "NT$", "BRL": "R$"},
    **{"JMD": "J$", "NAD": "N$", "MXN": "MX$", "EGP": "E£", "RUB": "₽", "KRW": "₩", "TRY": "₺", "UAH": "₴"},
    **{"ILS": "₪", "VND": "₫", "THB": "฿", "PHP": "₱", "NGN": "₦ N", "GHS": "₵ GH₵ GH¢", "KZT": "₸", "ZAR": "R"},
    **{"MYR": "RM", "IDR": "Rp", "KES": "KSh Ksh Sh", "UGX": "USh Ush", "TZS": "TSh Tsh", "BDT": "৳ Tk"},
    **dict.fromkeys(("PKR", "AED", "SAR", "SEK", "NOK", "DKK", "PLN", "HUF", "CZK", "ETB"), ""),
}
# by code: names in lower case, in the singular
_NAMES: dict[str, str] = {
    "USD": "dollar, us dollar, u.s dollar, american dollar",
    **{"EUR": "euro", "GBP": "pound sterling, british pound, sterling", "JPY": "yen", "CNY": "yuan, renminbi"},
    **{"CAD": "canadian dollar", "AUD": "australian dollar", "NZD": "new zealand dollar", "SGD": "singapore dollar"},
    **{"HKD": "hong kong dollar", "TWD": "taiwan dollar", "JMD": "jamaican dollar"},
    **{"EGP": "egyptian pound", "SDG": "sudanese pound", "SYP": "syrian pound", "LBP": "lebanese pound"},
    **{"INR": "rupee, indian rupee", "PKR": "pakistani rupee", "LKR": "sri lankan rupee", "NPR": "nepali rupee"},
    **{"CHF": "swiss franc", "XOF": "cfa franc", "CDF": "congolese franc", "RWF": "rwandan franc"},
    **{"KES": "kenyan shilling, kenya shilling", "UGX": "ugandan shilling", "TZS": "tanzanian shilling"},
    **{"MXN": "mexican peso", "PHP": "philippine peso", "ARS": "argentine peso", "CLP": "chilean peso"},
    **{"COP": "colombian peso", "IQD": "iraqi dinar", "KWD": "kuwaiti dinar", "DZD": "algerian dinar"},
    **{"TND": "tunisian dinar", "RSD": "serbian dinar", "LYD": "libyan dinar", "JOD": "jordanian dinar"},
    **{
        "DKK": "danish krone, danish kroner",
        "NOK": "norwegian krone, norwegian kroner",
        "SEK": "kronor, swedish krona",
    },
    **{"SAR": "saudi riyal", "QAR": "qatari riyal", "YER": "yemeni rial", "IRR": "iranian rial", "AED": "uae dirham"},
    **{"MAD": "moroccan dirham", "ZMW": "zambian kwacha", "MWK": "malawian kwacha", "ZAR": "rand", "NGN": "naira"},
    **{"BRL": "reais", "RUB": "rouble, ruble", "UAH": "hryvnia", "KRW": "won", "PLN": "zloty", "HUF": "forint"},
    **{"HRK": "kuna", "BGN": "leva", "RON": "lei", "TRY": "lira, turkish lira", "ILS": "shekel", "THB": "baht"},
    **{"MYR": "ringgit", "IDR": "rupiah", "VND": "dong", "BDT": "taka", "GHS": "cedi", "ETB": "birr", "BWP": "pula"},
    **{"KZT": "tenge", "CZK": "koruna"},
}
LONGEST_NAME = 3  # words

SIGNS: dict[str, str] = {sign: code for code, signs in _SIGNS.items() for sign in (*signs.split(), code)}
NAMES: dict[str, str] = {name: code for code, names in _NAMES.items() for name in names.split(", ")}


def named(words: Sequence[str]) -> str | None:
    """The code of the currency whose name `words` (in lower case) begin with: "swiss francs in cash"."""
    for length in range(min(LONGEST_NAME, len(words)), 0, -1):
        name = " ".join(words[:length])
        code = NAMES.get(name) or NAMES.get(name.removesuffix("s"))
        if code:
            return code
    return None
