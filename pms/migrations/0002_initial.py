import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('locks', '0002_initial'),
        ('pms', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='historicalintegration',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalintegration',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicalroomdoor',
            name='door',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.door'),
        ),
        migrations.AddField(
            model_name='historicalroomdoor',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalroomdoor',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='integration',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='integrations', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicalroomdoor',
            name='integration',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='outage',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outages', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='outage',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='affected_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='affected', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='came_in_during',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='came_in', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reservations', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reservations', to='locks.property'),
        ),
        migrations.AddField(
            model_name='room',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rooms', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='room',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='roomdoor',
            name='door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='room_doors', to='locks.door'),
        ),
        migrations.AddField(
            model_name='roomdoor',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='room_doors', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='roomdoor',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='webhookevent',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='webhookevent',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='writeback',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pms.integration'),
        ),
        migrations.AddField(
            model_name='writeback',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='writeback',
            name='reservation',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='write_back', to='pms.reservation'),
        ),
        migrations.AddIndex(
            model_name='integration',
            index=models.Index(fields=['next_read_at'], name='integration_read_due'),
        ),
        migrations.AddConstraint(
            model_name='integration',
            constraint=models.UniqueConstraint(fields=('property', 'adapter'), name='one_integration_per_pms_and_property'),
        ),
        migrations.AddConstraint(
            model_name='integration',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'disconnected'), _negated=True), fields=('property',), name='one_live_integration_per_property'),
        ),
        migrations.AddConstraint(
            model_name='integration',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('external_property_id', ''), _negated=True), models.Q(('state', 'disconnected'), _negated=True)), fields=('adapter', 'external_property_id'), name='one_pms_property_once'),
        ),
        migrations.AddConstraint(
            model_name='outage',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('integration',), name='one_open_outage_per_integration'),
        ),
        migrations.AddConstraint(
            model_name='outage',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at', None), ('ended_at__gte', models.F('began_at')), _connector='OR'), name='outage_ends_after_it_began'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(fields=['property', 'arrival_on', 'id'], name='stays_by_arrival'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(fields=['property', 'number'], name='stays_by_number', opclasses=['int8_ops', 'varchar_pattern_ops']),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('affected_by__isnull', False), ('came_in_during', None)), fields=['property', '-changed_at', '-id'], name='stays_affected'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(fields=['integration', 'booking_ref'], name='stays_of_booking'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('came_in_during__isnull', False)), fields=['came_in_during', 'arrival_on', 'id'], name='stays_that_came_in'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('missing_since__isnull', False)), fields=['integration', 'id'], name='stays_missing'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(models.Q(('followed_at', models.F('changed_at')), _negated=True), ('followed_at', None), _connector='OR'), fields=['changed_at'], name='stays_to_follow'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('state__in', ['tentative', 'expected', 'in_house', 'unknown'])), fields=['integration', 'room_ref', 'departure_on'], name='live_stays_of_room'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.UniqueConstraint(fields=('integration', 'external_id'), name='stay_once'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('arrival_on__lte', models.F('departure_on'))), name='stay_is_not_backwards'),
        ),
        migrations.AddIndex(
            model_name='room',
            index=models.Index(fields=['integration', 'name', 'id'], name='rooms_by_name'),
        ),
        migrations.AddConstraint(
            model_name='room',
            constraint=models.UniqueConstraint(fields=('integration', 'external_id'), name='room_once'),
        ),
        migrations.AddIndex(
            model_name='roomdoor',
            index=models.Index(fields=['integration', 'room_ref'], name='room_to_doors'),
        ),
        migrations.AddConstraint(
            model_name='roomdoor',
            constraint=models.UniqueConstraint(fields=('integration', 'room_ref', 'door'), name='mapped_once'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('processed_at', None)), fields=['integration', 'received_at'], name='inbox_unprocessed'),
        ),
        migrations.AddConstraint(
            model_name='webhookevent',
            constraint=models.UniqueConstraint(fields=('integration', 'event_key'), name='event_once'),
        ),
        migrations.AddIndex(
            model_name='writeback',
            index=models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at'], name='write_backs_due'),
        ),
        migrations.AddIndex(
            model_name='writeback',
            index=models.Index(fields=['integration', 'booking_ref'], name='write_backs_of_booking'),
        ),
        migrations.AddIndex(
            model_name='writeback',
            index=models.Index(condition=models.Q(('wanted_digest', ''), _negated=True), fields=['property', 'reservation'], name='write_backs_wanted'),
        ),
    ]
