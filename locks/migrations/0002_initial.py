import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('locks', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='historicaldoor',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicallockaccount',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalproperty',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='lock',
            name='door',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lock', to='locks.door'),
        ),
        migrations.AddField(
            model_name='lock',
            name='gateway',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='locks', to='locks.gateway'),
        ),
        migrations.AddField(
            model_name='foreigncode',
            name='lock',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='foreign_codes', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='errand',
            name='lock',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='errands', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='doorlogentry',
            name='lock',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='lock',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='locks', to='locks.lockaccount'),
        ),
        migrations.AddField(
            model_name='gateway',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gateways', to='locks.lockaccount'),
        ),
        migrations.AddField(
            model_name='discovery',
            name='account',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='discovery', to='locks.lockaccount'),
        ),
        migrations.CreateModel(
            name='Pulse',
            fields=[
                ('property', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='locks.property')),
                ('number', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.AddConstraint(
            model_name='property',
            constraint=models.CheckConstraint(condition=models.Q(('code_length__gte', 4), ('code_length__lte', 12)), name='code_length_4_to_12'),
        ),
        migrations.AddConstraint(
            model_name='property',
            constraint=models.CheckConstraint(condition=models.Q(('write_lead_minutes__lte', 240)), name='lead_at_most_4_h'),
        ),
        migrations.AddConstraint(
            model_name='property',
            constraint=models.CheckConstraint(condition=models.Q(('backup_codes__lte', 5)), name='backup_codes_at_most_5'),
        ),
        migrations.AddField(
            model_name='lockaccount',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lock_accounts', to='locks.property'),
        ),
        migrations.AddField(
            model_name='lock',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='locks', to='locks.property'),
        ),
        migrations.AddField(
            model_name='intake',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicallockaccount',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicaldoor',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='gateway',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gateways', to='locks.property'),
        ),
        migrations.AddField(
            model_name='foreigncode',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='errand',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='episode',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='doorlogentry',
            name='property',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='doorlink',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='door',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='doors', to='locks.property'),
        ),
        migrations.AddField(
            model_name='discovery',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='slotuse',
            name='lock',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='slotuse',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='vendorid',
            name='lock',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='vendor_ids', to='locks.lock'),
        ),
        migrations.AddField(
            model_name='vendorid',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='writer',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='lock',
            name='writer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='locks', to='locks.writer'),
        ),
        migrations.AddField(
            model_name='gateway',
            name='writer',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='gateway', to='locks.writer'),
        ),
        migrations.AddField(
            model_name='errand',
            name='writer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.writer'),
        ),
        migrations.AddConstraint(
            model_name='lockaccount',
            constraint=models.UniqueConstraint(fields=('property', 'name'), name='account_once_per_property'),
        ),
        migrations.AddConstraint(
            model_name='lockaccount',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('broken_at__isnull', False), ('state', 'broken')), models.Q(models.Q(('state', 'broken'), _negated=True), ('broken_at', None)), _connector='OR'), name='account_broken_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='lockaccount',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('disconnected_at__isnull', False), ('state', 'disconnected')), models.Q(models.Q(('state', 'disconnected'), _negated=True), ('disconnected_at', None)), _connector='OR'), name='account_disconnected_has_a_time'),
        ),
        migrations.AddIndex(
            model_name='intake',
            index=models.Index(condition=models.Q(('processed_at', None)), fields=['next_try_at', 'id'], name='intake_due'),
        ),
        migrations.AddIndex(
            model_name='intake',
            index=models.Index(condition=models.Q(('processed_at__isnull', False)), fields=['processed_at'], name='intake_done'),
        ),
        migrations.AddIndex(
            model_name='foreigncode',
            index=models.Index(condition=models.Q(('adopted_as__isnull', False)), fields=['lock', 'address'], name='foreign_codes_adopted'),
        ),
        migrations.AddIndex(
            model_name='foreigncode',
            index=models.Index(condition=models.Q(('gone_at', None)), fields=['property', 'first_seen_at', 'id'], name='foreign_codes_there'),
        ),
        migrations.AddConstraint(
            model_name='foreigncode',
            constraint=models.UniqueConstraint(condition=models.Q(('gone_at', None)), fields=('lock', 'kind', 'address'), name='foreign_code_once'),
        ),
        migrations.AddIndex(
            model_name='episode',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['property', '-kind', 'opened_at', 'id'], name='open_episodes'),
        ),
        migrations.AddIndex(
            model_name='episode',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['property', 'opened_at', 'id'], name='open_episodes_by_time'),
        ),
        migrations.AddConstraint(
            model_name='episode',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('assignment_id', 'kind'), name='one_open_episode_per_kind'),
        ),
        migrations.AddConstraint(
            model_name='episode',
            constraint=models.CheckConstraint(condition=models.Q(('closed_at', None), ('closed_at__gte', models.F('opened_at')), _connector='OR'), name='episode_ends_after_it_began'),
        ),
        migrations.AddIndex(
            model_name='doorlogentry',
            index=models.Index(fields=['property', '-happened_at', '-id'], name='log_of_property'),
        ),
        migrations.AddIndex(
            model_name='doorlogentry',
            index=models.Index(fields=['door', '-happened_at', '-id'], name='log_of_door'),
        ),
        migrations.AddIndex(
            model_name='doorlogentry',
            index=models.Index(condition=models.Q(('key_id__isnull', False)), fields=['key_id', '-happened_at', '-id'], name='log_of_key'),
        ),
        migrations.AddIndex(
            model_name='doorlogentry',
            index=models.Index(condition=models.Q(('code__in', ['4117', 'accepted', 'backup_given', 'battery_low', 'changed_at_lock', 'clock_set', 'clock_wrong', 'forced', 'foreign', 'foreign_adopted', 'foreign_removed', 'gone', 'jammed', 'left_open', 'locked_out', 'offline', 'online', 'paired', 'remote_unlock', 'remove_failed', 'repaired', 'resolved', 'taken_over', 'tamper', 'unconfirmed', 'unheard', 'unpaired', 'write_failed'])), fields=['property', 'code', '-happened_at', '-id'], name='log_of_code'),
        ),
        migrations.AddConstraint(
            model_name='doorlogentry',
            constraint=models.UniqueConstraint(condition=models.Q(('origin', 'lock')), fields=('lock', 'external_id', 'happened_at'), name='lock_event_once'),
        ),
        migrations.AddConstraint(
            model_name='doorlink',
            constraint=models.UniqueConstraint(fields=('door', 'linked'), name='door_linked_once'),
        ),
        migrations.AddConstraint(
            model_name='doorlink',
            constraint=models.CheckConstraint(condition=models.Q(('door', models.F('linked')), _negated=True), name='no_door_links_itself'),
        ),
        migrations.AddIndex(
            model_name='door',
            index=models.Index(fields=['property', 'name', 'id'], name='door_list'),
        ),
        migrations.AddIndex(
            model_name='door',
            index=models.Index(models.F('property'), django.db.models.functions.text.Lower('name'), name='door_by_any_case'),
        ),
        migrations.AddConstraint(
            model_name='door',
            constraint=models.UniqueConstraint(condition=models.Q(('archived_at', None)), fields=('property', 'name'), name='door_name_once_per_property', violation_error_message='This property already has a door of that name.'),
        ),
        migrations.AddIndex(
            model_name='discovery',
            index=models.Index(condition=models.Q(('ended_at', None)), fields=['asked_at'], name='discoveries_to_make'),
        ),
        migrations.AddConstraint(
            model_name='discovery',
            constraint=models.CheckConstraint(condition=models.Q(('ended_at', None), ('taken_at__isnull', False), _connector='OR'), name='discovery_ends_after_it_was_taken'),
        ),
        migrations.AddIndex(
            model_name='slotuse',
            index=models.Index(fields=['lock', 'number', '-since'], name='slot_history'),
        ),
        migrations.AddConstraint(
            model_name='slotuse',
            constraint=models.UniqueConstraint(condition=models.Q(('until', None)), fields=('lock', 'number'), name='slot_is_one_credentials'),
        ),
        migrations.AddConstraint(
            model_name='slotuse',
            constraint=models.UniqueConstraint(condition=models.Q(('until', None)), fields=('assignment_id',), name='credential_in_one_slot'),
        ),
        migrations.AddConstraint(
            model_name='slotuse',
            constraint=models.CheckConstraint(condition=models.Q(('until', None), ('until__gte', models.F('since')), _connector='OR'), name='slot_ends_after_it_began'),
        ),
        migrations.AddConstraint(
            model_name='vendorid',
            constraint=models.UniqueConstraint(fields=('lock', 'address', 'assignment_id'), name='vendor_id_of_a_credential_once'),
        ),
        migrations.AddConstraint(
            model_name='writer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('owner', ''), _negated=True), ('until_ms', 0), _connector='OR'), name='a_free_writer_has_no_end'),
        ),
        migrations.AddIndex(
            model_name='lock',
            index=models.Index(condition=models.Q(('read_back_at__isnull', False)), fields=['read_back_at'], name='lock_read_back_due'),
        ),
        migrations.AddIndex(
            model_name='lock',
            index=models.Index(fields=['next_health_at'], name='lock_health_due'),
        ),
        migrations.AddConstraint(
            model_name='lock',
            constraint=models.UniqueConstraint(fields=('account', 'external_id'), name='device_once'),
        ),
        migrations.AddConstraint(
            model_name='lock',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_online', True), ('offline_since', None)), models.Q(('is_online', False), ('offline_since__isnull', False)), _connector='OR'), name='lock_offline_has_a_since'),
        ),
        migrations.AddConstraint(
            model_name='lock',
            constraint=models.CheckConstraint(condition=models.Q(('code_min__lte', models.F('code_max'))), name='code_min_up_to_max'),
        ),
        migrations.AddConstraint(
            model_name='gateway',
            constraint=models.UniqueConstraint(fields=('account', 'external_id'), name='gateway_once'),
        ),
        migrations.AddConstraint(
            model_name='gateway',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_online', True), ('offline_since', None)), models.Q(('is_online', False), ('offline_since__isnull', False)), _connector='OR'), name='gateway_offline_has_a_since'),
        ),
        migrations.AddIndex(
            model_name='errand',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='errands_due'),
        ),
        migrations.AddIndex(
            model_name='errand',
            index=models.Index(fields=['lock', '-asked_at', '-id'], name='errands_of_lock'),
        ),
        migrations.AddConstraint(
            model_name='errand',
            constraint=models.UniqueConstraint(condition=models.Q(('done_at', None), ('foreign', None)), fields=('lock', 'what'), name='errand_open_once'),
        ),
        migrations.AddConstraint(
            model_name='errand',
            constraint=models.UniqueConstraint(condition=models.Q(('done_at', None), ('foreign__isnull', False)), fields=('foreign',), name='foreign_errand_open_once'),
        ),
        migrations.AddConstraint(
            model_name='errand',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('done_at', None), ('due_at__isnull', False), ('result', '')), models.Q(('done_at__isnull', False), ('due_at', None), models.Q(('result', ''), _negated=True)), _connector='OR'), name='errand_is_due_or_done'),
        ),
    ]
