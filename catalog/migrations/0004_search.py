import catalog.words
import django.contrib.postgres.indexes
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

# Both come with PostgreSQL and are trusted: whoever may create in the database may install them.
# Going back leaves them, since others may use them.
EXTENSIONS = """
    CREATE EXTENSION IF NOT EXISTS unaccent;
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
"""

# The words of a text, each once, in their order: compatible forms alike (NFKC), without accents
# and capitals. What is inside a word (apostrophes, invisible characters, combining accents) is
# dropped, what is between words divides them, and all else is a letter, of whatever script.
#
# Not IMMUTABLE, since the rules of unaccent may change; so what is made of them is written by
# triggers and not by a generated column. The search path is the one of this migration, wherever
# the extensions are, and holds during a restore as well, where there is none.
WORDS = r"""
    CREATE FUNCTION catalog_words(text text) RETURNS text[]
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT
    RETURN (
        SELECT coalesce(array_agg(word ORDER BY place), '{}')
        FROM (
            SELECT left(word, 60) AS word, min(place) AS place
            FROM regexp_split_to_table(
                regexp_replace(
                    lower(unaccent('unaccent', normalize(text, NFKC))),
                    '[''\u02BC\u2018\u2019\u00AD\u0300-\u036F\u200B-\u200F\u202A-\u202E'
                    '\u2060-\u2064\u2066-\u206F\uFE00-\uFE0F\uFEFF]+',
                    '', 'g'
                ),
                '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9'
                '\u00BB-\u00BF\u00D7\u00F7\u0964\u0965\u2010-\u2029\u202F-\u205F\u2190-\u23FF'
                '\u2500-\u25FF\u3000-\u303F]+'
            ) WITH ORDINALITY AS parts(word, place)
            WHERE word <> ''
            GROUP BY 1
        ) AS words
    );
"""

# A word as a condition: what begins with it, or with its stem ("vases": vase). Where the stem is
# how the word begins, which is nearly always, it stands alone: the fewer, the better the plan.
TERM = """
    CREATE FUNCTION catalog_term(word text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT
    RETURN (
        SELECT CASE
            WHEN starts_with(word, stem) THEN quote_literal(stem) || ':*'
            ELSE concat_ws(' | ', quote_literal(word) || ':*', quote_literal(stem) || ':*')
        END
        FROM (SELECT (ts_lexize('pg_catalog.english_stem', word))[1] AS stem) AS stems
    );
"""

# Writes what is searched of these products. A word keeps the best place it has: A the name, B
# category, material and slug, C the tagline, D the description. Words are never forgotten: that
# one is still in use is asked when it is suggested. They are written in order, so that two of
# these never wait for each other.
INDEX = """
    CREATE FUNCTION catalog_index(products bigint[]) RETURNS void
    LANGUAGE sql SET search_path FROM CURRENT
    BEGIN ATOMIC
        WITH parts AS (
            SELECT product.id, part.place, part.text
            FROM catalog_product AS product
            JOIN catalog_category AS category ON category.id = product.category_id,
            LATERAL (VALUES
                ('1A', product.name),
                ('2B', concat_ws(' ', category.name, product.material, product.slug)),
                ('3C', product.tagline),
                ('4D', product.description)
            ) AS part(place, text)
            WHERE product.id = ANY (products)
        ),
        entries AS (
            SELECT id, quote_literal(word) || ':' || string_agg(place, ',' ORDER BY place) AS entry
            FROM parts LEFT JOIN unnest(catalog_words(parts.text)) AS word ON true
            GROUP BY id, word
        ),
        written AS (
            INSERT INTO catalog_searchtext AS kept (product_id, words)
            SELECT id, coalesce(string_agg(entry, ' '), '')::tsvector FROM entries GROUP BY id ORDER BY id
            ON CONFLICT (product_id) DO UPDATE SET words = EXCLUDED.words
            RETURNING kept.words
        )
        INSERT INTO catalog_searchword (word)
        SELECT DISTINCT word FROM written, unnest(tsvector_to_array(written.words)) AS word
        ORDER BY word
        ON CONFLICT DO NOTHING;
    END;
"""


EVERYTHING = "SELECT catalog_index(ARRAY(SELECT id FROM catalog_product ORDER BY id))"


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_keep_replaced_pictures'),
    ]

    operations = [
        migrations.RunSQL(EXTENSIONS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name='SearchText',
            fields=[
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='search_text', serialize=False, to='catalog.product')),
                ('words', catalog.words.Words(editable=False)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SearchWord',
            fields=[
                ('word', models.TextField(primary_key=True, serialize=False)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='searchtext',
            index=django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['words'], name='product_by_word'),
        ),
        migrations.AddIndex(
            model_name='searchword',
            index=django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['word'], name='word_by_trigram', opclasses=('gin_trgm_ops',)),
        ),
        migrations.RunSQL(WORDS, "DROP FUNCTION catalog_words(text)"),
        migrations.RunSQL(TERM, "DROP FUNCTION catalog_term(text)"),
        migrations.RunSQL(INDEX, "DROP FUNCTION catalog_index(bigint[])"),
        pgtrigger.migrations.AddTrigger(
            model_name='category',
            trigger=pgtrigger.compiler.Trigger(name='category_is_searched', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM catalog_index(ARRAY(SELECT id FROM catalog_product WHERE category_id = NEW.id ORDER BY id)); RETURN NULL;', hash='5e840ba9b966f660c8d22f198836755a526ea7a3', operation='UPDATE OF "name"', pgid='pgtrigger_category_is_searched_a47be', table='catalog_category', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='product',
            trigger=pgtrigger.compiler.Trigger(name='new_product_is_searched', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM catalog_index(ARRAY(SELECT id FROM added)); RETURN NULL;', hash='c2d675a86dbc5d8d4238cf2f0038ad8119d09ae8', level='STATEMENT', operation='INSERT', pgid='pgtrigger_new_product_is_searched_164a3', referencing='REFERENCING NEW TABLE AS added ', table='catalog_product', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='product',
            trigger=pgtrigger.compiler.Trigger(name='product_is_searched', sql=pgtrigger.compiler.UpsertTriggerSql(func='PERFORM catalog_index(ARRAY[NEW.id]); RETURN NULL;', hash='c7580671893b0e609094702907da315a21074243', operation='UPDATE OF "name", "slug", "category_id", "tagline", "material", "description"', pgid='pgtrigger_product_is_searched_2a8a7', table='catalog_product', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='product',
            trigger=pgtrigger.compiler.Trigger(name='search_text_goes_with_product', sql=pgtrigger.compiler.UpsertTriggerSql(func='DELETE FROM catalog_searchtext WHERE product_id = OLD.id; RETURN NULL;', hash='8cee60dc1c2236a4f57822ad0c7b95f644162316', operation='DELETE', pgid='pgtrigger_search_text_goes_with_product_4fd17', table='catalog_product', when='AFTER')),
        ),
        # Last: the tables it writes can be altered no more in this transaction.
        migrations.RunSQL(EVERYTHING, migrations.RunSQL.noop),
    ]
