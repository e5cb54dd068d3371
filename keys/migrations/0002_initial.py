import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('keys', '0001_initial'),
        ('locks', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Recheck',
            fields=[
                ('property', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='locks.property')),
                ('after_id', models.BigIntegerField(default=0)),
                ('asked_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Recovery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('source', models.CharField(choices=[('portal', 'Portal'), ('api', 'API'), ('admin', 'Admin'), ('command', 'Command'), ('pms', 'PMS'), ('system', 'Portal itself')], max_length=10)),
                ('user_id', models.BigIntegerField(null=True)),
                ('actor_label', models.CharField(max_length=120, verbose_name='who')),
                ('reason', models.CharField(max_length=300)),
                ('started_at', models.DateTimeField()),
                ('cancelled_at', models.DateTimeField(null=True)),
                ('undo_asked_at', models.DateTimeField(null=True)),
                ('undo_actor_label', models.CharField(blank=True, default='', max_length=120, verbose_name='undone by')),
                ('undo_user_id', models.BigIntegerField(null=True)),
                ('undo_source', models.CharField(blank=True, choices=[('portal', 'Portal'), ('api', 'API'), ('admin', 'Admin'), ('command', 'Command'), ('pms', 'PMS'), ('system', 'Portal itself')], default='system', max_length=10)),
                ('finished_at', models.DateTimeField(null=True)),
                ('planned', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('skipped', models.PositiveIntegerField(default=0)),
                ('cancelled', models.PositiveIntegerField(default=0)),
                ('undone', models.PositiveIntegerField(default=0)),
                ('kept', models.PositiveIntegerField(default=0)),
                ('before_check_in', models.BooleanField(default=False, verbose_name='Write now, before check-in')),
                ('links_keys', models.BooleanField(default=True, verbose_name='Link keys made by hand')),
                ('seen_at', models.DateTimeField()),
                ('up_to', models.BigIntegerField()),
                ('planned_to', models.BigIntegerField(null=True)),
            ],
            options={
                'verbose_name_plural': 'recoveries',
            },
        ),
        migrations.CreateModel(
            name='RecoveryRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(choices=[('revoke', 'Revoke first'), ('shorten', 'Shorten'), ('move', 'Move'), ('extend', 'Extend'), ('link', 'Link to the key made by hand'), ('provision', 'Provision')], max_length=10)),
                ('rank', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed'), ('skipped', 'Nothing to do'), ('cancelled', 'Cancelled'), ('undone', 'Undone'), ('kept', 'Not undone')], default='waiting', max_length=10)),
                ('result', models.CharField(blank=True, default='', max_length=300)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='SupportRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('keys', models.PositiveIntegerField(verbose_name='keys held')),
                ('asked_by', models.CharField(max_length=120)),
                ('asked_at', models.DateTimeField()),
                ('answered_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ToldPMS',
            fields=[
                ('property', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='told_pms', serialize=False, to='locks.property')),
                ('pulse', models.BigIntegerField(default=-1)),
            ],
        ),
        migrations.AddField(
            model_name='alert',
            name='property',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='locks.property'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='locks.door'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='lock',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='property',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='writer',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='locks.writer'),
        ),
        migrations.AddField(
            model_name='backupcode',
            name='door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='backup_codes', to='locks.door'),
        ),
        migrations.AddField(
            model_name='backupcode',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='bulkchange',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='bulkrow',
            name='change',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rows', to='keys.bulkchange'),
        ),
        migrations.AddField(
            model_name='bulkrow',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='continuation',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
    ]
