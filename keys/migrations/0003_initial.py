import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('keys', '0002_initial'),
        ('locks', '0001_initial'),
        ('pms', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='continuation',
            name='reservation',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='continuation', to='pms.reservation'),
        ),
        migrations.AddField(
            model_name='credential',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='credential',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='keys.credential'),
        ),
        migrations.AddField(
            model_name='formercode',
            name='credential',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='former_codes', to='keys.credential'),
        ),
        migrations.AddField(
            model_name='formercode',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='guest',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='guests', to='locks.property'),
        ),
        migrations.AddField(
            model_name='guestmessage',
            name='credential',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='keys.credential'),
        ),
        migrations.AddField(
            model_name='guestmessage',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
    ]
