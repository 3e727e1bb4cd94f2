# An event may belong to several topics: their names, separated by spaces.

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('live', '0001_initial'),
    ]

    operations = [
        migrations.RenameField(
            model_name='liveevent',
            old_name='topic',
            new_name='topics',
        ),
        migrations.AlterField(
            model_name='liveevent',
            name='topics',
            field=models.TextField(),
        ),
    ]
