"""The colours of the products of the opening catalogue, for shops that opened without them. What
staff chose stays."""

from django.db import migrations

COLOURS = {
    "blue": (
        "tidal", "indigo-plain", "ink-tumbler", "trumpet",
    ),
    "terracotta": (
        "chhatri-lamp", "bagru-stripe", "surahi", "kulhad-pair", "barrel-cactus", "diya-dozen",
        "kumbh-large", "santra-portable",
    ),
    "beige": (
        "mistri-stool", "noon-disc", "shelf-pair", "stack-boxes", "kagaz-column", "cane-pouf",
        "fern-basket", "jaipur-star", "cork-tray", "step-stool", "pashmina-fold", "milking-stool",
    ),
    "white": (
        "morning-mug", "snake-cylinder", "pleat-lamp", "cocoon", "noon-plate", "three-stones",
        "pleat-vase", "disc-two", "marble-dish", "twin-neck", "pebble-side", "white-pitcher",
        "moon-jar", "motia-lamp", "linear-row", "camp-enamel", "pebble-light", "hanging-pearl",
        "rangoli",
    ),
    "gold": (
        "ghanti", "ten-past", "taper-ring", "copper-lota", "heron-lamp", "sundial-arc",
        "brass-davara", "thali-ring", "desk-sled", "chand", "lantern-jali",
    ),
    "grey": (
        "monsoon-bowl", "concrete-cube", "pocket-wave", "steel-tiffin", "grid-wool",
        "smoke-bottle", "moss-dish",
    ),
    "brown": (
        "radio-one", "valet-tray", "slab-bench", "amber-flask", "smoked-votive", "turntable",
        "sand-hour", "jewel-casket", "walnut-boat",
    ),
    "green": (
        "baoli-carafe", "drum-table", "oil-cruet", "moss-lumbar", "matcha-bowl", "bamboo-cut",
        "bagula-task", "incense-arch", "salt-cellar",
    ),
    "multicolour": (
        "nest-four", "terrace-clock", "terrazzo-platter", "terrazzo-plinth", "kantha-stack",
        "gola-stack", "stack-two",
    ),
    "black": (
        "flip-station", "monolith", "kala-urn", "facet-espresso", "grahan-lamp", "agave-bowl",
        "candelabra-five", "studio-cans", "iron-kettle", "kadai-black",
    ),
    "yellow": (
        "beehive", "saffron-round", "footed-pot", "folded-steel",
    ),
    "red": (
        "lacquer-round",
    ),
    "pink": (
        "night-set", "lotus-bowl", "sphere-candle",
    ),
    "clear": (
        "glass-cutting", "decanter-no-3",
    ),
}


def colour(apps, schema_editor):
    products = apps.get_model("catalog", "Product").objects.using(schema_editor.connection.alias)
    for colour, slugs in COLOURS.items():
        products.filter(colour="", slug__in=slugs).update(colour=colour)


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0015_colours_and_materials'),
    ]

    operations = [
        migrations.RunPython(colour, migrations.RunPython.noop),
    ]
