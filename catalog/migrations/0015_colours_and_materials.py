from importlib import import_module

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# The kinds of material that a text names: "Black stoneware, brass" is ceramic and brass. Only whole
# words count, so stoneware is no stone. Made of what is built in alone, so that a restore, which has
# no search path, computes the same.
MATERIALS = r"""
    CREATE FUNCTION catalog_materials(text text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (
        SELECT coalesce(array_agg(kind ORDER BY kind), '{}')
        FROM (VALUES
            ('wood', 'wood|plywood|oak|walnut|ash|birch|teak|sheesham|rosewood|mango|pine|beech|maple|cedar|elm|cherry'),
            ('cane', 'cane|bamboo|rattan|wicker|willow'),
            ('ceramic', 'ceramics?|stoneware|earthenware|clay'),
            ('porcelain', 'porcelain|bone china'),
            ('terracotta', 'terracotta'),
            ('glass', 'glass|crystal'),
            ('brass', 'brass|copper|bronze'),
            ('steel', 'steel|aluminium|aluminum'),
            ('iron', 'iron'),
            ('stone', 'marble|soapstone|stone|granite|slate|sandstone|travertine'),
            ('concrete', 'concrete|cement|terrazzo'),
            ('paper', 'paper'),
            ('textile', 'cotton|linen|wool|pashmina|velvet|felt|silk|jute'),
            ('leather', 'leather'),
            ('wax', 'wax|beeswax')
        ) AS materials(kind, words)
        WHERE text ~* ('\m(' || words || ')\M')
    );
"""

WITHOUT_COLOURS = import_module("catalog.migrations.0004_search").INDEX.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
WITH_COLOURS = WITHOUT_COLOURS.replace("product.material,", "product.material, product.colour,")


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0014_product_pictures'),
    ]

    operations = [
        migrations.RunSQL(MATERIALS, "DROP FUNCTION catalog_materials(text)"),
        pgtrigger.migrations.RemoveTrigger(
            model_name='product',
            name='product_is_searched',
        ),
        migrations.AddField(
            model_name='product',
            name='colour',
            field=models.CharField(blank=True, choices=[('white', 'White'), ('beige', 'Beige'), ('grey', 'Grey'), ('black', 'Black'), ('brown', 'Brown'), ('terracotta', 'Terracotta'), ('red', 'Red'), ('pink', 'Pink'), ('yellow', 'Yellow'), ('gold', 'Gold'), ('green', 'Green'), ('blue', 'Blue'), ('clear', 'Clear'), ('multicolour', 'Multicolour')], db_default='', default='', help_text="What it is filtered by and found under. Empty: in no colour's list.", max_length=20),
        ),
        migrations.AddField(
            model_name='product',
            name='materials',
            field=models.GeneratedField(db_persist=True, expression=models.Func(models.F('material'), function='catalog_materials'), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(fields=['colour', 'position', 'id'], name='product_by_colour'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['materials'], name='product_by_material'),
        ),
        migrations.RunSQL(WITH_COLOURS, WITHOUT_COLOURS),
        pgtrigger.migrations.AddTrigger(
            model_name='product',
            trigger=pgtrigger.compiler.Trigger(name='product_is_searched', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM catalog_index(ARRAY[NEW.id]); RETURN NULL;', hash='43470689768ecbe512f75925d753e169f9816992', operation='UPDATE OF "name", "slug", "category_id", "tagline", "material", "colour", "description"', pgid='pgtrigger_product_is_searched_2a8a7', table='catalog_product', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('colour__in', ['', 'white', 'beige', 'grey', 'black', 'brown', 'terracotta', 'red', 'pink', 'yellow', 'gold', 'green', 'blue', 'clear', 'multicolour'])), name='colour_known'),
        ),
    ]
