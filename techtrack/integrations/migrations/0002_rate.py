from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='importrun',
            options={'ordering': ['-started_at', '-id']},
        ),
        migrations.RemoveField(
            model_name='importrun',
            name='error',
        ),
        migrations.AddField(
            model_name='importrun',
            name='seconds',
            field=models.FloatField(default=0),
        ),
    ]
