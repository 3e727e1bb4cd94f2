import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('assets', '0003_running'),
        ('integrations', '0002_rate'),
    ]

    operations = [
        migrations.CreateModel(
            name='NumberedSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64)),
                ('asset', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='assets.asset')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('asset', 'code'), name='series_number_once')],
            },
        ),
        migrations.CreateModel(
            name='PushUnit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('door', models.CharField(choices=[('sensor_community', 'Sensor Community'), ('airgradient', 'Airgradient')], max_length=20)),
                ('unit_id', models.CharField(max_length=100)),
                ('pin', models.CharField(blank=True, default='', max_length=10)),
                ('anonymous', models.BooleanField(default=False)),
                ('allowed_addresses', models.JSONField(default=list)),
                ('settings', models.JSONField(default=dict)),
                ('sensor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='assets.asset')),
            ],
            options={
                'ordering': ['door', 'unit_id', 'pin'],
                'constraints': [models.UniqueConstraint(fields=('door', 'unit_id', 'pin'), name='push_unit_once')],
            },
        ),
        migrations.CreateModel(
            name='RejectedPush',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('door', models.CharField(choices=[('sensor_community', 'Sensor Community'), ('airgradient', 'Airgradient')], max_length=20)),
                ('unit_id', models.CharField(blank=True, max_length=100)),
                ('code', models.CharField(max_length=64)),
                ('detail', models.TextField()),
                ('payload', models.TextField(blank=True)),
                ('size', models.PositiveIntegerField()),
                ('address', models.CharField(blank=True, default='', max_length=64)),
                ('count', models.PositiveIntegerField(default=1)),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField(db_index=True)),
                ('sensor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='assets.asset')),
            ],
            options={
                'ordering': ['-last_at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('door', 'unit_id', 'code', 'sensor'), name='rejected_push_once'), models.UniqueConstraint(condition=models.Q(('sensor', None)), fields=('door', 'unit_id', 'code'), name='rejected_stranger_once')],
            },
        ),
    ]
