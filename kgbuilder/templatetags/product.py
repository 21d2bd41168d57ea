"""What pages show of the product itself."""

from __future__ import annotations

from django import template

from kgbuilder import VERSION

register = template.Library()


@register.simple_tag
def product_version() -> str:
    return VERSION
